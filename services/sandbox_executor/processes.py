"""Processes below us on the host: adopting orphans, killing by owner, reaping what is left.

gVisor's helper processes outlive their parent for a moment and would then fall to process 1, which
in a container is often nobody that reaps. So the executor adopts them (PR_SET_CHILD_SUBREAPER) and
reaps them itself.
"""

import asyncio
import contextlib
import ctypes
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

_PR_SET_CHILD_SUBREAPER = 36
_POLL_SECONDS = 0.01
_SWEEP_SECONDS = 0.05

# Children that somebody here waits for; reaping them first would steal their exit status.
_awaited: set[int] = set()


def adopt_orphans(loop: asyncio.AbstractEventLoop) -> None:
    """Makes this process the parent of its descendants' orphans (prctl(2), Linux 3.4), and reaps
    them as they end."""
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_CHILD_SUBREAPER, 1)
    sweep: asyncio.TimerHandle | None = None

    def ended() -> None:
        """Many end together, so one look serves them all."""
        nonlocal sweep
        if sweep is None or sweep.when() < loop.time():
            sweep = loop.call_later(_SWEEP_SECONDS, reap_orphans)

    loop.add_signal_handler(signal.SIGCHLD, ended)


def await_child(pid: int) -> None:
    """Leaves the exit status of this child to its owner."""
    _awaited.add(pid)


def forget_child(pid: int) -> None:
    """The owner of this child has reaped it."""
    _awaited.discard(pid)


def reap_orphans() -> None:
    """Reaps adopted processes that have ended. Children of our own are left to their owners."""
    for pid in _children():
        if pid not in _awaited and _state(pid) == "Z":
            with contextlib.suppress(ChildProcessError):
                os.waitpid(pid, os.WNOHANG)


def of_owner(label: str) -> list[int]:
    """gVisor's processes whose command line holds this text."""
    return [pid for pid in _all() if _is_labelled(_read(pid, "cmdline"), label.encode())]


def _is_labelled(command_line: bytes, label: bytes) -> bool:
    program = command_line.partition(b"\0")[0].rpartition(b"/")[2]
    return label in command_line and (program.startswith(b"runsc") or program == b"exe")


def kill_and_wait(pids: list[int], seconds: float = 5.0) -> bool:
    """SIGKILLs, and waits until all are gone; False where some are not. Blocking."""
    for pid in pids:
        kill(pid)
    return wait_gone(pids, seconds)


def kill(pid: int) -> None:
    """SIGKILL; no error where it is gone already."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.kill(pid, signal.SIGKILL)


def wait_gone(pids: list[int], seconds: float) -> bool:
    """Waits until none of them runs any more; False where some still do. Blocking."""
    deadline = time.monotonic() + seconds
    while any(_runs(pid) for pid in pids):
        if time.monotonic() > deadline:
            return False
        time.sleep(_POLL_SECONDS)
    return True


def _runs(pid: int) -> bool:
    return _state(pid) not in ("", "Z", "X")


def _state(pid: int) -> str:
    """The state letter of proc_pid_stat(5), which follows the name in parentheses."""
    return _read(pid, "stat").rpartition(b")")[2][1:2].decode("ascii", "replace")


def _children() -> list[int]:
    """Our children, those of all our threads."""
    found: list[int] = []
    for task in Path("/proc/self/task").iterdir():
        with contextlib.suppress(OSError):
            found += map(int, (task / "children").read_text("ascii").split())
    return found


def _all() -> Iterator[int]:
    return (int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit())


def _read(pid: int, name: str) -> bytes:
    try:
        return Path(f"/proc/{pid}/{name}").read_bytes()
    except OSError:
        return b""
