"""What comes out of a container: Docker's frames, and inside of them the relay's."""

import struct
from collections.abc import Iterator

# Engine API, "attach to a container": stream, three zeros, length.
_OUTER = struct.Struct(">BxxxI")
_STDOUT, _STDERR = 1, 2
# sandbox/relay.py: stream, length.
_INNER = struct.Struct(">BI")
_LONGEST = 1 << 16
_WORDS_BYTES = 4096

STATUS = 4
Frame = tuple[int, bytes]


class BrokenStream(Exception):
    """Something came that no relay of ours sends."""


class _Cutter:
    """Cuts bytes into (stream, content) by a header of its own."""

    def __init__(self, head: struct.Struct, longest: int) -> None:
        self._head = head
        self._longest = longest
        self._buffer = bytearray()

    def feed(self, data: bytes) -> Iterator[Frame]:
        self._buffer += data
        while len(self._buffer) >= self._head.size:
            stream, size = self._head.unpack_from(self._buffer)
            if size > self._longest:
                raise BrokenStream(f"a frame says that it is {size} bytes long")
            end = self._head.size + size
            if len(self._buffer) < end:
                return
            yield stream, bytes(self._buffer[self._head.size : end])
            del self._buffer[:end]


class ContainerStream:
    """The relay's frames out of an attached container; `words` is what it said on stderr."""

    def __init__(self) -> None:
        self._outer = _Cutter(_OUTER, 1 << 24)
        self._inner = _Cutter(_INNER, _LONGEST)
        self.words = b""

    def feed(self, data: bytes) -> Iterator[Frame]:
        """The frames that are complete with these bytes. Raises BrokenStream."""
        for stream, content in self._outer.feed(data):
            if stream == _STDERR:
                self.words = (self.words + content)[:_WORDS_BYTES]
            elif stream == _STDOUT:
                yield from self._inner.feed(content)
