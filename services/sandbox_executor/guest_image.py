"""The guest's root filesystem: a copy of this Python's standard library and what it links to.

A copy, and not binds of the host's directories: the guest can then reach nothing that was not put
there on purpose (no site-packages, no /etc, no home), one mount boots faster than thirty, and it
works the same for root and for a user who may not read the interpreter's parent directories.
"""

import compileall
import hashlib
import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from functools import cache
from pathlib import Path

from services.sandbox_executor import module_archive
from shared.errors import Unavailable

PYTHON = "/python/bin/python3"
LIBRARIES = "/python/lib"
PACKAGES = "/python/packages"
ARCHIVE = "/python/modules"
_LIBRARY = f"/python/lib/python{sys.version_info.major}.{sys.version_info.minor}"

# Raised whenever what is put into the image changes.
_LAYOUT = 3

_LEFT_OUT = shutil.ignore_patterns(
    "site-packages",
    "dist-packages",
    "test",
    "tests",
    "idlelib",
    "tkinter",
    "turtledemo",
    "lib2to3",
    "ensurepip",
    "config-*",
    "_test*.so",
    "_tkinter*.so",
    "_ctypes_test*.so",
    "*.opt-?.pyc",
    "*.a",
)


def prepare(cache: Path, packages: Path | None = None) -> Path:
    """The root directory of a guest, made where the cache lacks it (under a second, 70 MB).

    `packages` is a folder as `pip install --target` makes it, for guests that have more than the
    standard library. Blocking. Raises Unavailable where the image cannot be written.
    """
    root = cache / "sandbox-image" / _fingerprint(packages)
    if root.is_dir():
        return root
    try:
        root.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=root.parent, prefix=".making-") as work:
            _assemble(Path(work) / "root", packages)
            _publish(Path(work) / "root", root)
    except (OSError, subprocess.SubprocessError) as error:
        raise Unavailable(
            f"the guest's files cannot be put into {root}: {error}; set BATOS_CACHE_DIR to a "
            "directory that this user can write to",
            reason="SANDBOX_IMAGE_UNAVAILABLE",
        ) from error
    return root


def _publish(made: Path, root: Path) -> None:
    try:
        made.rename(root)
    except OSError:
        # Another executor made the same image meanwhile.
        if not root.is_dir():
            raise


def _fingerprint(packages: Path | None) -> str:
    stat = _executable().stat()
    facts = f"{_LAYOUT} {sys.version} {_executable()} {stat.st_size} {stat.st_mtime_ns}"
    facts += _runner_digest()
    if packages:
        facts += " ".join(sorted(found.name for found in packages.glob("*.dist-info")))
    return hashlib.sha256(facts.encode()).hexdigest()[:16]


@cache  # each boot asks
def _runner_digest() -> str:
    return hashlib.sha256(module_archive.RUNNER.read_bytes()).hexdigest()


def _executable() -> Path:
    """The interpreter itself, not the virtual environment's link to it."""
    base: str = getattr(sys, "_base_executable", sys.executable)
    return Path(base).resolve()


def _assemble(root: Path, packages: Path | None) -> None:
    for directory in ("proc", "dev", "tmp", "python/bin", "python/lib"):
        (root / directory).mkdir(parents=True)
    library = root / _LIBRARY[1:]
    shutil.copytree(sysconfig.get_path("stdlib"), library, ignore=_LEFT_OUT)
    shutil.copy2(_executable(), root / PYTHON[1:])
    if packages:
        shutil.copytree(packages, root / PACKAGES[1:], ignore=_LEFT_OUT)
        compileall.compile_dir(root / PACKAGES[1:], quiet=2, workers=1)
    extensions = [*(library / "lib-dynload").glob("*.so"), *(root / PACKAGES[1:]).rglob("*.so*")]
    for linked in _linked(_executable(), *extensions):
        if linked.is_relative_to(root):
            continue  # packages bring some of theirs
        # The loader is named by its absolute path in every program; the rest are searched for.
        is_loader = linked.name.startswith("ld-")
        target = root / (linked.relative_to("/") if is_loader else f"python/lib/{linked.name}")
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(linked, target)
    # Some distributions ship no compiled modules; compiling at each boot would cost more.
    compileall.compile_dir(library, quiet=2, workers=1)
    (root / ARCHIVE[1:]).write_bytes(module_archive.build(_executable(), _LIBRARY))
    for directory, _, _ in os.walk(root):
        Path(directory).chmod(0o755)


def _linked(*binaries: Path) -> set[Path]:
    """All shared objects that the binaries need, as ldd(1) resolves them."""
    listed = subprocess.run(
        ["ldd", *binaries], capture_output=True, text=True, timeout=60, check=False
    )
    words = (word for line in listed.stdout.splitlines() for word in line.split())
    return {Path(word) for word in words if word.startswith("/") and not word.endswith(":")} - set(
        binaries
    )


if __name__ == "__main__":  # for images, which have the guest's files made when they are built
    prepare(Path(sys.argv[1]))
    for found in sorted(Path(sys.argv[1]).glob("sandbox-packages/*")):
        prepare(Path(sys.argv[1]), found)
