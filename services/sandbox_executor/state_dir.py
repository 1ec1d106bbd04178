"""The executor's directory for running sandboxes, and its label on all that belongs to it.

    <root>/.lock              held while a replica comes or orphans are removed
    <root>/<replica>/.owner   locked by the executor for as long as it lives
    <root>/<replica>/<id>/    one sandbox: its bundle and runsc's state

The kernel drops the lock with the process, so a directory whose lock can be had is an orphan. Its
path is in the command line of every process of its sandboxes: that is how they are found.
"""

import contextlib
import fcntl
import os
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import structlog

from services.sandbox_executor import processes
from shared.errors import FailedPrecondition

# sun_path of unix(7), less what runsc appends: /<replica>/<id>/s/runsc-<id>.sock
_LONGEST_PATH = 107 - 45

_log = structlog.get_logger()


class StateDir:
    """A replica's own directory. Its methods block."""

    def __init__(self, root: Path, replica_id: str) -> None:
        self._root = root
        self._own = root / replica_id
        self._owner_lock = -1

    def open(self) -> int:
        """Takes possession, and removes what executors that are gone left behind; their number.

        Raises FailedPrecondition where the directory cannot be used safely.
        """
        self._require_private_root()
        with _locked(self._root / ".lock"):
            removed = sum(self._remove_if_orphan(path) for path in self._replicas())
            self._own.mkdir(mode=0o700)
            self._owner_lock = _try_lock(self._own / ".owner")
        return removed

    def new(self, sandbox_id: str) -> Path:
        """An empty directory for one sandbox."""
        path = self._own / sandbox_id
        path.mkdir(mode=0o700)
        return path

    def remove(self, sandbox_id: str) -> None:
        """Removes the directory of a sandbox that never started."""
        shutil.rmtree(self._own / sandbox_id, ignore_errors=True)

    def close(self) -> None:
        """Gives everything up; sandboxes that are still there are removed."""
        _remove(self._own)
        if self._owner_lock >= 0:
            os.close(self._owner_lock)
            self._owner_lock = -1

    def _replicas(self) -> list[Path]:
        return [path for path in self._root.iterdir() if path.is_dir()]

    def _require_private_root(self) -> None:
        if len(str(self._root)) > _LONGEST_PATH:
            raise FailedPrecondition(
                f"{self._root} is too long for sockets in it; set BATOS_SANDBOX_STATE_DIR to a "
                f"path of at most {_LONGEST_PATH} characters",
                reason="STATE_DIR_UNUSABLE",
            )
        self._root.mkdir(mode=0o700, parents=True, exist_ok=True)
        found = self._root.lstat()
        if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid() or found.st_mode & 0o022:
            raise FailedPrecondition(
                f"{self._root} must be a directory of this user that no one else can write to; "
                "remove it, or set BATOS_SANDBOX_STATE_DIR",
                reason="STATE_DIR_UNUSABLE",
            )

    def _remove_if_orphan(self, path: Path) -> bool:
        lock = _try_lock(path / ".owner")
        if lock < 0:
            return False
        _remove(path)
        os.close(lock)
        _log.info("removed orphans", replica=path.name)
        return True


def _remove(path: Path) -> None:
    if not processes.kill_and_wait(processes.of_owner(f"{path}/")):
        _log.error("processes of a sandbox cannot be killed", path=str(path))
    shutil.rmtree(path, ignore_errors=True)


def _try_lock(path: Path) -> int:
    """A descriptor that holds the lock, or -1 where somebody else does."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return -1
    return descriptor


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    with contextlib.closing(os.fdopen(descriptor)):
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
