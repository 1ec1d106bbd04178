import os
import subprocess
from pathlib import Path

import pytest

from services.sandbox_executor import guest_image
from shared.errors import Unavailable


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return guest_image.prepare(tmp_path_factory.mktemp("cache"))


def test_it_is_a_whole_python(image: Path) -> None:
    """Run with its own loader and libraries, as the guest does, only without the sandbox."""
    (loader,) = (image / "lib64").glob("ld-*") if (image / "lib64").is_dir() else ()
    libraries = image / guest_image.LIBRARIES[1:]
    python = image / guest_image.PYTHON[1:]
    program = "import sys, ssl, sqlite3, json, ctypes; print(sys.prefix)"
    said = subprocess.run(
        [loader, "--library-path", libraries, python, "-I", "-S", "-c", program],
        capture_output=True,
        text=True,
        check=True,
    )
    assert said.stdout.strip()


def test_it_holds_nothing_else_of_the_host(image: Path) -> None:
    assert {path.name for path in image.iterdir()} <= {
        "dev",
        "lib",
        "lib64",
        "proc",
        "python",
        "tmp",
    }
    names = {name for _, directories, _ in os.walk(image) for name in directories}
    assert not names & {"site-packages", "dist-packages", "test", "idlelib", "ensurepip"}
    links = [path for path in image.rglob("*") if path.is_symlink()]
    assert links == []


def test_everybody_may_read_it_and_it_is_made_once(image: Path) -> None:
    assert all(
        Path(directory).stat().st_mode & 0o755 == 0o755 for directory, _, _ in os.walk(image)
    )
    made = image.stat().st_mtime_ns
    assert guest_image.prepare(image.parents[1]) == image
    assert image.stat().st_mtime_ns == made
    assert [path.name for path in image.parent.iterdir()] == [image.name]


def test_a_cache_that_cannot_be_written_says_so(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(Unavailable, match="BATOS_CACHE_DIR"):
        guest_image.prepare(tmp_path / "file")
