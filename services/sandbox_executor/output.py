"""What a guest printed, counted as it comes and kept up to the limit."""


class Output:
    """stdout and stderr of one run, bounded together."""

    def __init__(self, limit_bytes: int) -> None:
        self._limit = limit_bytes
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
        stream += data[:room]
        self._seen += len(data)
