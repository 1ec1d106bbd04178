"""How long a call may take, and what is left of that."""

import time

from batos.client.errors import DeadlineExceeded
from batos.client.methods import Method


class Deadline:
    """Begins now; `seconds` are the caller's, or None for the method's own."""

    def __init__(self, method: Method, seconds: float | None) -> None:
        self._method = method
        seconds = method.seconds if seconds is None else seconds
        self._end = None if seconds is None else time.monotonic() + seconds

    def left(self) -> float | None:
        """Seconds for gRPC, None for no end; DeadlineExceeded where none are left."""
        if self._end is None:
            return None
        if (left := self._end - time.monotonic()) <= 0:
            raise DeadlineExceeded(f"{self._method.name}: the time is over")
        return left
