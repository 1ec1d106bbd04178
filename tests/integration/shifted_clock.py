"""A wall clock that a test sets, for services that are processes of their own."""

import mmap
import struct
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.integration.preloaded import compiled

DAY = 24 * 3600
_SOURCE = Path(__file__).with_name("shifted_clock.c")

Clock = tuple[dict[str, str], Callable[[int], None]]


@pytest.fixture
def clock(tmp_path: Path) -> Iterator[Clock]:
    """The environment of a process with a clock that can be set, and what sets it."""
    library, file = compiled(_SOURCE, tmp_path), tmp_path / "shift"
    file.write_bytes(struct.pack("q", 0))
    with file.open("r+b") as opened, mmap.mmap(opened.fileno(), 8) as shared:

        def jump(seconds: int) -> None:
            shared[:8] = struct.pack("q", seconds)

        yield {"LD_PRELOAD": str(library), "SHIFTED_CLOCK": str(file)}, jump
