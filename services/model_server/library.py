"""From a model's name in a request to a lease on the loaded model."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from services.model_server.duration import parse_keep_alive
from services.model_server.errors import BadRequestError
from services.model_server.go_template import is_go_template
from services.model_server.loaded_model import Lease, Wanted
from services.model_server.model_file import ModelFile, model_file
from services.model_server.model_store import ModelStore, StoredModel
from services.model_server.options import Options
from services.model_server.requests import KeepAlive
from services.model_server.runner import RunnerSpec
from services.model_server.scheduler import Scheduler
from services.model_server.settings import ModelServerSettings
from services.model_server.workers import Workers

_MAX_AUTO_THREADS = 8


@dataclass(frozen=True)
class Opened:
    """A model that a request named. `asked` is the name as the caller wrote it."""

    asked: str
    stored: StoredModel
    file: ModelFile

    @property
    def template(self) -> str:
        """The template in force: the tag's own, else the file's."""
        return self.stored.manifest.template or self.file.chat_template

    @property
    def capabilities(self) -> list[str]:
        """Ollama's words for what can be asked of it."""
        return self.file.capabilities(self.template)

    def options(self, request: dict[str, Any] | None) -> Options:
        """The tag's parameters, overlaid by a request's options."""
        return Options(self.stored.manifest.parameters, request or {})


class Library:
    """The store and the scheduler, as the routes use them together."""

    def __init__(
        self,
        store: ModelStore,
        scheduler: Scheduler,
        disk: Workers,
        answers: Workers,
        settings: ModelServerSettings,
    ) -> None:
        self.store, self.scheduler = store, scheduler
        self.disk, self.answers = disk, answers
        self._settings = settings

    async def open(self, name: str) -> Opened:
        """ModelNotFoundError for an absent model, BadRequestError for no or a bad name."""
        if not name:
            raise BadRequestError("model is required")
        return await self.disk.run(self._open, name)

    def _open(self, name: str) -> Opened:
        stored = self.store.get(name)
        return Opened(name, stored, model_file(self._blob(stored)))

    async def lease(
        self, opened: Opened, options: Options, keep_alive: KeepAlive, *, embedding: bool = False
    ) -> Lease:
        """Wait for the model to be loaded with these options."""
        wanted = Wanted(opened.stored, self._spec(opened, options, embedding))
        return await self.scheduler.acquire(wanted, self.keep_alive(keep_alive))

    async def unload(self, opened: Opened) -> None:
        """Free the model's memory."""
        await self.scheduler.unload(str(opened.stored.name))

    def keep_alive(self, asked: KeepAlive) -> float:
        """Seconds; the server's default where the request says nothing."""
        return parse_keep_alive(self._settings.keep_alive if asked is None else asked)

    def unloads(self, asked: KeepAlive) -> bool:
        """Whether a request without a prompt asks to free the model."""
        return asked is not None and parse_keep_alive(asked) == 0

    def _spec(self, opened: Opened, options: Options, embedding: bool) -> RunnerSpec:
        context = max(16, options.num_ctx(self._settings.context_length))
        own = opened.stored.manifest.template
        return RunnerSpec(
            path=self._blob(opened.stored),
            context=min(context, opened.file.context_length or context),
            threads=self._settings.threads or _auto_threads(),
            embedding=embedding,
            pooling_known=opened.file.pooling_known,
            adapters=tuple(map(self.store.blobs.path, opened.stored.manifest.adapter_digests)),
            chat_template="" if embedding or is_go_template(own) else own,
        )

    def _blob(self, stored: StoredModel) -> Path:
        return self.store.blobs.path(stored.manifest.model_digest)


def _auto_threads() -> int:
    """Half of the logical CPUs: more only wait for each other at llama.cpp's barriers."""
    return max(1, min(_MAX_AUTO_THREADS, (os.cpu_count() or 2) // 2))
