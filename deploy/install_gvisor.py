"""Puts a checked gVisor (runsc) into the project's cache; needs no root.

    python -m deploy.install_gvisor

A runsc that is recent enough and already in the cache or on PATH is kept. Otherwise the Debian
package is downloaded from the machine's own Debian mirror (or Debian's public one), compared with
a size and SHA-256 written below, and its one static binary is unpacked with the standard library.
gVisor's own releases are not fetched because their hashes are not recorded here; whoever has one
puts it on PATH or names it in BATOS_SANDBOX_RUNSC_PATH.
"""

import hashlib
import io
import lzma
import os
import platform
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

# Older ones are ptrace-only: slow, and they leak process slots.
MINIMUM_VERSION = 20240729

_PUBLIC_MIRROR = "http://deb.debian.org/debian"
_ATTEMPTS = 4
_TIMEOUT_SECONDS = 60


class InstallError(Exception):
    """gVisor could not be installed; the text says what to do."""


@dataclass(frozen=True)
class Package:
    """One file of Debian's pool, with the size in bytes and SHA-256 of Debian's signed index."""

    path: str
    size: int
    sha256: str


_POOL = "pool/main/g/golang-gvisor-gvisor/"

PACKAGES = {
    "x86_64": (
        Package(
            _POOL + "runsc_0.0~20240729.0-4+b7_amd64.deb",
            7_121_792,
            "3c25a5130dfac2f71237d5baad56ac86a255de87a0400f11b36a555156dc325a",
        ),
        Package(
            _POOL + "runsc_0.0~20240729.0-7+b1_amd64.deb",
            7_265_076,
            "8d14cbe155dcbd61f44d933573c8e7a37dc4668924d2474339fdbfb3bdb3f06e",
        ),
    ),
    "aarch64": (
        Package(
            _POOL + "runsc_0.0~20240729.0-4+b7_arm64.deb",
            6_133_804,
            "8e13e0625a094f962da3edcaf81ab0ed779726b6335e385a8148919f2c217c8e",
        ),
    ),
}


def cache_dir() -> Path:
    """Where downloads are kept: BATOS_CACHE_DIR, or `.cache` in the project."""
    return Path(os.environ.get("BATOS_CACHE_DIR") or Path(__file__).resolve().parents[1] / ".cache")


def cached_runsc() -> Path:
    """Where the cached binary lies, or will lie."""
    return cache_dir().resolve() / "gvisor" / "runsc"


def version_of(binary: Path) -> int:
    """The date in a runsc's version, such as 20240729; 0 where it does not run or has none."""
    try:
        text = subprocess.run(
            [binary, "--version"], capture_output=True, text=True, timeout=20, check=True
        ).stdout
    except (OSError, subprocess.SubprocessError):
        return 0
    found = re.search(r"\b(20\d{6})\b", text)
    return int(found[1]) if found else 0


def find() -> Path | None:
    """A runsc that is recent enough: the cached one first, then the one on PATH."""
    candidates = (cached_runsc(), find_on_path())
    return next((path for path in candidates if path and version_of(path) >= MINIMUM_VERSION), None)


def find_on_path() -> Path | None:
    """Whatever runsc the shell would find."""
    found = shutil.which("runsc")
    return Path(found) if found else None


def install() -> Path:
    """The path of a runsc that is recent enough, downloaded where there was none.

    Raises InstallError with what to do.
    """
    if found := find():
        return found
    target = cached_runsc()
    try:
        _place(_unpack(_download(_packages())), target)
    except OSError as error:
        raise InstallError(f"cannot write {target}: {error}; set BATOS_CACHE_DIR") from error
    if version_of(target) < MINIMUM_VERSION:
        raise InstallError(f"{target} was unpacked but does not run on this machine")
    return target


def _packages() -> tuple[Package, ...]:
    if sys.platform != "linux":
        raise InstallError("gVisor runs on Linux only; use a Linux machine or virtual machine")
    machine = platform.machine()
    if machine not in PACKAGES:
        raise InstallError(f"there is no gVisor package for {machine}; put a runsc on PATH")
    return PACKAGES[machine]


def mirrors(sources: Path = Path("/etc/apt")) -> Iterator[str]:
    """Base addresses of Debian archives: those of this machine's apt, then the public one."""
    seen = {_PUBLIC_MIRROR}
    for file in sorted([*sources.glob("sources.list"), *sources.glob("sources.list.d/*")]):
        if file.suffix not in (".list", ".sources"):
            continue
        for address in re.findall(r"https?://\S+/debian(?=[/\s]|$)", file.read_text("utf-8")):
            if address not in seen:
                seen.add(address)
                yield address
    yield _PUBLIC_MIRROR


def _download(packages: tuple[Package, ...]) -> bytes:
    failures = []
    for package in packages:
        for mirror in mirrors():
            try:
                return _fetch(f"{mirror}/{package.path}", package)
            except (OSError, InstallError) as error:
                failures.append(f"  {mirror}/{package.path}: {error}")
    raise InstallError(
        "gVisor could not be downloaded:\n" + "\n".join(failures) + "\n"
        "Check the network (http_proxy is honoured) and try again, or install runsc "
        f">= {MINIMUM_VERSION} by hand (https://gvisor.dev/docs/user_guide/install/) and put it "
        "on PATH."
    )


def _fetch(url: str, package: Package) -> bytes:
    for attempt in range(1, _ATTEMPTS + 1):
        try:
            return _checked(_read(url, package.size), package)
        except urllib.error.HTTPError as error:
            if error.code < 500 or attempt == _ATTEMPTS:
                raise
        except OSError:
            if attempt == _ATTEMPTS:
                raise
        time.sleep(attempt)
    raise InstallError("no attempt was made")


def _read(url: str, size: int) -> bytes:
    """At most one byte more than expected, with a line of progress where someone watches."""
    data = bytearray()
    with urllib.request.urlopen(url, timeout=_TIMEOUT_SECONDS) as response:
        while len(data) <= size and (chunk := response.read(min(1 << 18, size + 1 - len(data)))):
            data += chunk
            if sys.stderr.isatty():
                print(f"\rgVisor: {len(data) / size:4.0%}", end="", file=sys.stderr, flush=True)
    if sys.stderr.isatty():
        print(file=sys.stderr)
    return bytes(data)


def _checked(data: bytes, package: Package) -> bytes:
    if len(data) < package.size:
        raise OSError(f"the connection broke after {len(data)} of {package.size} bytes")
    if hashlib.sha256(data).hexdigest() != package.sha256:
        raise InstallError("its SHA-256 is not the recorded one; it was thrown away")
    return data


def _unpack(deb: bytes) -> bytes:
    """The binary inside a .deb: an ar archive whose data.tar.xz holds ./usr/bin/runsc."""
    data = next(content for name, content in _ar_members(deb) if name == "data.tar.xz")
    with tarfile.open(fileobj=io.BytesIO(lzma.decompress(data))) as tar:
        member = tar.extractfile("./usr/bin/runsc")
        if member is None:
            raise InstallError("the package holds no runsc")
        return member.read()


def _ar_members(archive: bytes) -> Iterator[tuple[str, bytes]]:
    """(name, content) of each member of a common-format ar archive (ar(5))."""
    position = 8
    while position + 60 <= len(archive):
        header = archive[position : position + 60]
        size = int(header[48:58])
        start = position + 60
        yield header[:16].decode().strip().rstrip("/"), archive[start : start + size]
        position = start + size + size % 2


def _place(binary: bytes, target: Path) -> None:
    """Writes under a temporary name and renames, so that nobody ever runs half a file."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=target.parent, delete=False) as file:
        file.write(binary)
        file.flush()
        os.fsync(file.fileno())
    temporary = Path(file.name)
    temporary.chmod(0o755)
    temporary.replace(target)


def main() -> None:
    """Installs, and says where it is."""
    try:
        path = install()
    except InstallError as error:
        raise SystemExit(f"install_gvisor: {error}") from None
    print(f"gVisor {version_of(path)}: {path}")


if __name__ == "__main__":
    main()
