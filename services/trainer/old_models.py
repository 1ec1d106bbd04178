"""Models of earlier runs that nobody speaks with any more."""

from __future__ import annotations

import asyncio
import shutil
from dataclasses import dataclass
from pathlib import Path

import structlog

from services.trainer.arbiter import Arbiter
from services.trainer.model_backend import ModelBackend
from services.trainer.sqlite_runs import SqliteRuns
from shared.errors import BatosError

_log = structlog.get_logger()


@dataclass(frozen=True)
class OldModels:
    """Removes the models of a persona's successful runs but the newest `kept_count`.

    `files` is the folder that holds a folder of each one's files.
    """

    arbiter: Arbiter
    backend: ModelBackend
    runs: SqliteRuns
    kept_count: int
    files: Path

    async def collect(self, persona: str) -> None:
        """Never removes what a pointer names, or what a rollback would bring back.

        What cannot be removed now is left to the next run's end.
        """
        try:
            card = await self.arbiter.persona(persona)
            made = await self.runs.models_of(card.name)
            for tag in made[self.kept_count :]:
                if tag not in (card.model_tag, card.previous_tag):
                    await self.backend.delete(tag)
                    files = self.files / tag.rpartition(":run-")[2]
                    await asyncio.to_thread(shutil.rmtree, files, True)
        except BatosError as error:
            _log.warning("old models left behind", persona=persona, reason=error.reason)
