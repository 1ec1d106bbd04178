"""Ollama, or whatever speaks its HTTP API, as the port `ModelBackend`."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
from ollama import AsyncClient, ResponseError

from services.trainer.model_backend import Answer
from services.trainer.training_job import Message
from shared import tracing
from shared.errors import AlreadyExists, BatosError, FailedPrecondition, Internal, Unavailable


class OllamaModels:
    """Makes, lists, asks and removes models through the official client.

    `seconds` bounds each answer, `create_seconds` the upload and making of a model; `quantize`
    is a quantisation type as Ollama names it.
    """

    def __init__(self, host: str, quantize: str, seconds: float, create_seconds: float) -> None:
        self._host = host
        self._client = AsyncClient(host, timeout=seconds, event_hooks=tracing.HTTPX_HOOKS)
        self._maker = AsyncClient(host, timeout=create_seconds, event_hooks=tracing.HTTPX_HOOKS)
        self._quantize = quantize
        self._seconds = seconds
        self._create_seconds = create_seconds

    async def close(self) -> None:
        """Closes the connections."""
        await self._client.close()  # type: ignore[no-untyped-call]
        await self._maker.close()  # type: ignore[no-untyped-call]

    async def create(
        self, tag: str, directory: Path, template: str | None, base_tag: str | None
    ) -> str:
        """As `ModelBackend.create`; AlreadyExists where the tag is taken, as tags never change."""
        if await self.digest(tag) is not None:
            raise AlreadyExists(f"the model backend has {tag} already", reason="TAG_TAKEN")
        async with self._translated(self._create_seconds):
            paths = await asyncio.to_thread(lambda: sorted(directory.glob("*.*")))
            files = {path.name: await self._upload(path) for path in paths}
            if "adapter_config.json" in files:
                await self._create(tag, from_=base_tag, adapters=files)
            else:
                await self._create(tag, files=files, template=template, quantize=self._quantize)
        digest = await self.digest(tag)
        if digest is None:
            raise Unavailable(
                f"the model backend said that it made {tag} but does not list it",
                reason="MODEL_NOT_CREATED",
            )
        return digest

    async def digest(self, tag: str) -> str | None:
        """As `ModelBackend.digest`."""
        async with self._translated(self._seconds):
            listed = await self._client.list()
            return next(
                (m.digest for m in listed.models if m.model in (tag, f"{tag}:latest")), None
            )

    async def delete(self, tag: str) -> None:
        """As `ModelBackend.delete`."""
        async with self._translated(self._seconds):
            try:
                await self._client.delete(tag)
            except ResponseError as error:
                if error.status_code != httpx.codes.NOT_FOUND:
                    raise

    async def chat(
        self,
        tag: str,
        messages: Sequence[Message],
        answer_tokens: int,
        tools: Sequence[dict[str, Any]] = (),
    ) -> Answer:
        """As `ModelBackend.chat`."""
        async with self._translated(self._seconds):
            response = await self._client.chat(
                tag,
                [_as_ollama_has_it(message) for message in messages],
                tools=list(tools) or None,
                options={"temperature": 0.0, "num_predict": answer_tokens},
            )
            calls = tuple(
                (call.function.name, json.dumps(dict(call.function.arguments)))
                for call in response.message.tool_calls or ()
            )
            return Answer(response.message.content or "", response.prompt_eval_count or 0, calls)

    async def _upload(self, path: Path) -> str:
        """Sends a file unless the server has it: the client itself never asks."""
        digest = f"sha256:{await asyncio.to_thread(_sha256, path)}"
        known = await self._maker._client.head(f"/api/blobs/{digest}")
        if known.status_code == httpx.codes.OK:
            return digest
        return await self._maker.create_blob(path)

    async def _create(self, tag: str, **what: Any) -> None:
        """Reads the stream to its end: a failed creation may show in any line of it."""
        last = ""
        async for line in await self._maker.create(tag, **what, stream=True):
            last = line.status or ""
        if last != "success":
            raise Unavailable(
                f"the model backend stopped making {tag} at {last!r}", reason="MODEL_NOT_CREATED"
            )

    @asynccontextmanager
    async def _translated(self, seconds: float) -> AsyncIterator[None]:
        try:
            async with asyncio.timeout(seconds):
                yield
        except TimeoutError:
            raise Unavailable(
                f"the model backend took longer than {seconds:g} s", reason="MODEL_TIMED_OUT"
            ) from None
        except ResponseError as error:
            raise self._refusal(error) from error
        except (httpx.HTTPError, ConnectionError) as error:
            raise Unavailable(
                f"the model backend at {self._host} cannot be reached; is Ollama running, and is "
                f"OLLAMA_HOST right? ({type(error).__name__})",
                reason="MODEL_UNAVAILABLE",
            ) from error
        except (ValueError, TypeError, AttributeError) as error:  # no JSON, or of another shape
            raise Internal(
                f"the model backend at {self._host} does not speak Ollama's API: {error}",
                reason="MODEL_ANSWER_MALFORMED",
            ) from error

    def _refusal(self, error: ResponseError) -> BatosError:
        words = f"the model backend refused: {error.error}"
        if 400 <= error.status_code < 500:
            return FailedPrecondition(words, reason="MODEL_REFUSED")
        return Unavailable(words, reason="MODEL_FAILED")


def _as_ollama_has_it(message: Message) -> Message:
    written = {key: value for key, value in message.items() if key != "name"}
    return written | {"tool_name": message["name"]} if "name" in message else written


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
