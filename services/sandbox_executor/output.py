"""What a guest printed, counted as it comes and kept up to the limit."""

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Printed:
    """Bytes as they came, cut anywhere."""

    data: bytes
    to_stderr: bool


Listener = Callable[[Printed], None]


class Output:
    """stdout and stderr of one run, bounded together."""

    def __init__(self, limit_bytes: int, listener: Listener | None = None) -> None:
        self._limit = limit_bytes
        self._listener = listener
        self._seen = 0
        self._stdout = bytearray()
        self._stderr = bytearray()

    @property
    def stdout(self) -> bytes:
        """Its first bytes."""
        return bytes(self._stdout)

    @property
    def stderr(self) -> bytes:
        """Its first bytes."""
        return bytes(self._stderr)

    @property
    def exceeded(self) -> bool:
        """True once more was printed than allowed."""
        return self._seen > self._limit

    def add_stdout(self, data: bytes) -> None:
        """Takes what was read."""
        self._add(self._stdout, data)

    def add_stderr(self, data: bytes) -> None:
        """Takes what was read."""
        self._add(self._stderr, data)

    def _add(self, stream: bytearray, data: bytes) -> None:
        room = max(0, self._limit - self._seen)
        kept = data[:room]
        stream += kept
        self._seen += len(data)
        if kept and self._listener:
            self._listener(Printed(kept, stream is self._stderr))
