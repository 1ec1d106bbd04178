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


def die_with_parent(number: signal.Signals = signal.SIGTERM) -> None:
    """Has the kernel send us a signal when our parent dies (prctl(2), Linux only)."""
    parent = os.getppid()
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, number)
    if os.getppid() != parent:  # it died before we had asked
        os.kill(os.getpid(), number)


def run(program: str, main: Coroutine[Any, Any, None]) -> None:
    """Runs a service; a typed error at start is one line on stderr and exit status 1.

    With BATOS_DIE_WITH_PARENT set, the service drains and ends when whoever started it is gone.
    """
    if os.environ.get(DIE_WITH_PARENT):
        die_with_parent()
    try:
        asyncio.run(main)
    except BatosError as error:
        sys.stderr.write(f"{program}: {error.message} ({error.reason})\n")
        raise SystemExit(1) from None
    except KeyboardInterrupt:
        raise SystemExit(130) from None
