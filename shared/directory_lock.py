"""One process per data directory."""

import fcntl
import os
from pathlib import Path

from shared.errors import FailedPrecondition


class DirectoryLock:
    """Holds a directory until `release`, or until the process ends, however it ends.

    FailedPrecondition (DATA_DIRECTORY_IN_USE) while another process holds it.
    """

    def __init__(self, directory: Path) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self._descriptor = os.open(directory / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(self._descriptor)
            raise FailedPrecondition(
                f"{directory} is in use by another process; stop it, or set another data directory",
                reason="DATA_DIRECTORY_IN_USE",
            ) from None

    def release(self) -> None:
        """Lets another process in."""
        os.close(self._descriptor)
