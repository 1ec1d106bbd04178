"""Which runsc there is, and whether it is recent enough."""

import functools
import re
import subprocess
from pathlib import Path

from shared.errors import Unavailable

# Older ones are ptrace-only: slow, and they leak process slots.
MINIMUM_VERSION = 20240729
INSTALL = "install it with: python -m deploy.install_gvisor"


def version(binary: Path) -> str:
    """What it says about itself, such as "0.0~20240729.0". Blocking.

    Raises Unavailable where it does not run.
    """
    try:
        stat = binary.stat()
    except OSError as error:
        raise Unavailable(
            f"there is no runsc at {binary}; {INSTALL}", reason="SANDBOX_RUNTIME_MISSING"
        ) from error
    return _ask(binary, stat.st_mtime_ns, stat.st_size)


def require_recent(binary: Path) -> None:
    """Raises Unavailable, with what to do, where it is too old or does not run. Blocking."""
    said = version(binary)
    date = re.search(r"\b(20\d{6})\b", said)
    if not date or int(date[1]) < MINIMUM_VERSION:
        raise Unavailable(
            f"{binary} is version {said!r}, and at least {MINIMUM_VERSION} is needed; {INSTALL}",
            reason="SANDBOX_RUNTIME_TOO_OLD",
        )


@functools.lru_cache(maxsize=4)
def _ask(binary: Path, _mtime_ns: int, _size: int) -> str:
    """Asked once per file; its time and size tell one file from the next."""
    try:
        text = subprocess.run(
            [binary, "--version"], capture_output=True, text=True, timeout=60, check=True
        ).stdout
    except (OSError, subprocess.SubprocessError) as error:
        raise Unavailable(
            f"{binary} does not run ({error}); {INSTALL}", reason="SANDBOX_RUNTIME_BROKEN"
        ) from error
    return text.partition("\n")[0].removeprefix("runsc version ").strip()
