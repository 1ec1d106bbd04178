"""Takes the Codex anew when its file changes, whole or not at all."""

import asyncio
from pathlib import Path

import structlog

from services.supervisor import codex
from services.supervisor.codex import Codex
from services.supervisor.sqlite_personas import SqlitePersonas
from shared.errors import BatosError

_POLL_SECONDS = 1.0  # whatever edits the file, in whatever way: a watch of the kernel's sees less

_log = structlog.get_logger()


class CodexWatch:
    """Looks at the file now and then; `run` is its task."""

    def __init__(self, path: Path, personas: SqlitePersonas) -> None:
        self._path = path
        self._personas = personas
        self._seen = _look(path)

    async def run(self) -> None:
        """Looks until cancelled. A file that is refused leaves the personas as they are."""
        while True:
            await asyncio.sleep(_POLL_SECONDS)
            found = await asyncio.to_thread(_look, self._path)
            if found == self._seen:
                continue
            self._seen = found
            try:
                taken: Codex = await asyncio.to_thread(codex.read, self._path)
                await self._personas.adopt(taken)
            except BatosError as error:
                _log.error("the changed Codex was refused", error=error.message)
                await self._personas.note_refusal(error.message)
            else:
                _log.info("the Codex was taken anew", personas=sorted(taken.personas))


def _look(path: Path) -> tuple[int, int, int] | None:
    """What differs once the file was written: its inode, time and size; None without one."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns, found.st_size
