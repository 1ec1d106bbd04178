"""The outermost layer of a service process: errors become a sentence and an exit status."""

import asyncio
import ctypes
import os
import signal
import sys
from collections.abc import Coroutine
from typing import Any

from shared.errors import BatosError

DIE_WITH_PARENT = "BATOS_DIE_WITH_PARENT"

_PR_SET_PDEATHSIG = 1


def die_with_parent(parent: int, number: signal.Signals = signal.SIGTERM) -> None:
    """Has the kernel send us a signal when our parent dies (prctl(2), Linux only).

    `parent` is the process that started us, as it said itself: it may be dead by now.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, number)
    if os.getppid() != parent:  # it died before we had asked
        raise SystemExit(3)


def die_with_starter() -> None:
    """Ends this process with the one whose id is in BATOS_DIE_WITH_PARENT, where that is set."""
    if parent := os.environ.get(DIE_WITH_PARENT):
        die_with_parent(int(parent))


class _Again:
    wanted = False


def start_anew() -> None:
    """Has this process drain and end its work, and then start again in its own place."""
    _Again.wanted = True
    os.kill(os.getpid(), signal.SIGTERM)


def run(program: str, main: Coroutine[Any, Any, None]) -> None:
    """Runs a service; a typed error at start is one line on stderr and exit status 1.

    With a process id in BATOS_DIE_WITH_PARENT, the service drains and ends when that one is gone.
    """
    die_with_starter()
    try:
        asyncio.run(main)
    except BatosError as error:
        sys.stderr.write(f"{program}: {error.message} ({error.reason})\n")
        raise SystemExit(1) from None
    except KeyboardInterrupt:
        raise SystemExit(130) from None
    if _Again.wanted:
        sys.stdout.flush()
        sys.stderr.flush()
        os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])  # noqa: S606 (ourselves)
