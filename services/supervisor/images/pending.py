"""A load that is decided: it is finished, whatever crashes, and cannot be taken back."""

import asyncio
from collections.abc import Sequence
from pathlib import Path

import structlog

from services.supervisor.images.parts import RemotePart
from shared.durable import sync, write_durably
from shared.errors import BatosError, Unavailable
from shared.image import switching
from shared.image.layout import Layout

_PAUSE_SECONDS = 0.2
_LONGEST_PAUSE_SECONDS = 5.0
_SWITCH_SECONDS = 180.0

_log = structlog.get_logger()


def _file(data_dir: Path) -> Path:
    return Layout(data_dir).root / "loading"


def remember(data_dir: Path, key: str) -> None:
    """From here on the load is decided."""
    write_durably(_file(data_dir), key)


async def switched(parts: Sequence[RemotePart], key: str) -> None:
    """Has all parts switch, and waits until they serve the image; Unavailable where one does not.

    Parts start anew meanwhile, so that they do not answer for a moment is nothing.
    """
    try:
        async with asyncio.timeout(_SWITCH_SECONDS):
            await asyncio.gather(*(_until_switched(part, key) for part in parts))
    except TimeoutError:
        raise Unavailable(
            "a service does not come back; the load goes on once it does", retry_after=5.0
        ) from None


async def finish(data_dir: Path, parts: Sequence[RemotePart]) -> None:
    """Before anything of ours is opened: has a decided load happen here too, once the others have
    switched, which is waited for.
    """
    file = _file(data_dir)
    if not file.exists():
        return
    key = file.read_text(encoding="ascii")
    if Layout(data_dir).loaded_image() != key:
        _log.info("an image is being loaded")
        await asyncio.gather(*(_until_switched(part, key) for part in parts))
        switching.decide(data_dir, key)


def forget(data_dir: Path) -> None:
    """The load is done everywhere."""
    if _file(data_dir).exists():
        _file(data_dir).unlink()
        sync(_file(data_dir).parent)


async def _until_switched(part: RemotePart, key: str) -> None:
    pause, told = _PAUSE_SECONDS, False
    while True:
        try:
            if (await part.state())[0] == key:
                return
            await part.switch(key)
        except BatosError as error:
            if not told:
                _log.info("waiting", service=part.service, error=error.message)
            told = True
        await asyncio.sleep(pause)
        pause = min(pause * 1.5, _LONGEST_PAUSE_SECONDS)
