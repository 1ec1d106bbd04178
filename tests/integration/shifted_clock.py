"""A wall clock that a test sets, for services that are processes of their own."""

import mmap
import shutil
import struct
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

DAY = 24 * 3600
_SOURCE = Path(__file__).with_name("shifted_clock.c")

Clock = tuple[dict[str, str], Callable[[int], None]]


@pytest.fixture
def clock(tmp_path: Path) -> Iterator[Clock]:
    """The environment of a process with a clock that can be set, and what sets it."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    if not compiler:
        pytest.skip("no C compiler here to make a clock that can be set")
    library, file = tmp_path / "shifted_clock.so", tmp_path / "shift"
    subprocess.run([compiler, "-shared", "-fPIC", "-O1", "-o", library, _SOURCE], check=True)
    file.write_bytes(struct.pack("q", 0))
    with file.open("r+b") as opened, mmap.mmap(opened.fileno(), 8) as shared:

        def jump(seconds: int) -> None:
            shared[:8] = struct.pack("q", seconds)

        yield {"LD_PRELOAD": str(library), "SHIFTED_CLOCK": str(file)}, jump
