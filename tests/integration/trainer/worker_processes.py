"""Training workers as this machine's process table has them."""

from __future__ import annotations

import asyncio
from pathlib import Path


def workers() -> list[int]:
    """Those that are alive."""
    return [
        int(entry.name)
        for entry in Path("/proc").iterdir()
        if entry.name.isdigit() and _is_worker(entry)
    ]


def workers_of(trainer_pid: int | None) -> list[int]:
    """Those that a Trainer has started; other tests may have some of their own."""
    return [pid for pid in workers() if _is_child(pid, trainer_pid)]


def worker_of(trainer_pid: int | None) -> int:
    """The one worker that a Trainer has started."""
    (pid,) = workers_of(trainer_pid)
    return pid


async def is_gone(pid: int) -> bool:
    """True once the worker has ended, False where it lives on for ten seconds."""
    for _ in range(100):
        if pid not in workers():
            return True
        await asyncio.sleep(0.1)
    return False


def _is_child(pid: int, parent: int | None) -> bool:
    try:
        return f"PPid:\t{parent}\n" in Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return False


def _is_worker(entry: Path) -> bool:
    try:
        words = (entry / "cmdline").read_bytes().split(b"\0")
        state = (entry / "stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return b"services.trainer.worker" in words and state != "Z"
