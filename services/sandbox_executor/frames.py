"""Length-prefixed JSON between host and guest: four bytes big endian, then that many of UTF-8.

What comes out of a guest is hostile: every size is bounded before it is allocated, and whatever is
not a well-formed frame ends the run.
"""

import base64
import json
import struct
from collections.abc import Iterator

from services.sandbox_executor import strict_json
from services.sandbox_executor.job import Job

_HEAD = struct.Struct(">I")

# A file of 3 MiB in base64 and its envelope; the guest refuses larger ones by itself.
FRAME_LIMIT_BYTES = (4 << 20) + 4096
# Everything that one run may report; it has to fit into one answer.
REPORT_LIMIT_BYTES = 6 << 20

Frame = dict[str, object]


class BrokenFrame(Exception):
    """The guest sent something that no honest guest sends; the text says what."""


def encode_request(job: Job, helpers: int = 0) -> bytes:
    """The frame that a guest is given; its limits can only be lowered in there."""
    limits = {
        # One more than allowed, so that going over can be seen from outside.
        "RLIMIT_NPROC": job.limits.processes + 1 + helpers,
        # Far above what may be used, since address space is not memory: it stops the absurd.
        "RLIMIT_AS": 2 * job.limits.memory_bytes + (1 << 30),
        "RLIMIT_NOFILE": job.limits.open_files,
        "RLIMIT_FSIZE": job.limits.file_bytes,
    }
    if not job.cell:
        # A backstop for a guest whose executor has died; runs are stopped long before.
        limits["RLIMIT_CPU"] = int(job.limits.cpu_seconds) + 10
    body = {
        "source": job.source,
        "calls": [{"function": c.function, "arguments": c.arguments} for c in job.calls],
        "stdin": base64.b64encode(job.stdin).decode(),
        "argv": list(job.argv),
        "limits": limits,
        "files": [
            {"path": file.path, "content": base64.b64encode(file.content).decode()}
            for file in job.files
        ],
        "environment": dict(job.environment),
        "collect": list(job.collect),
        "cell": job.cell,
    }
    data = json.dumps(body).encode()
    return _HEAD.pack(len(data)) + data


class FrameReader:
    """Cuts a stream of bytes into frames."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._total = 0

    def feed(self, data: bytes) -> Iterator[Frame]:
        """The frames that are complete with these bytes. Raises BrokenFrame."""
        self._total += len(data)
        if self._total > REPORT_LIMIT_BYTES:
            raise BrokenFrame(f"more than {REPORT_LIMIT_BYTES} bytes of results")
        self._buffer += data
        while (body := self._next_body()) is not None:
            yield _parse(body)

    def _next_body(self) -> bytes | None:
        if len(self._buffer) < _HEAD.size:
            return None
        (size,) = _HEAD.unpack_from(self._buffer)
        if size > FRAME_LIMIT_BYTES:
            raise BrokenFrame(f"a frame says that it is {size} bytes long")
        end = _HEAD.size + size
        if len(self._buffer) < end:
            return None
        body = bytes(self._buffer[_HEAD.size : end])
        del self._buffer[:end]
        return body


def _parse(body: bytes) -> Frame:
    try:
        frame = strict_json.parse(body)
    except ValueError as error:
        raise BrokenFrame(f"a frame is not JSON ({type(error).__name__})") from None
    if not isinstance(frame, dict):
        raise BrokenFrame("a frame is not an object")
    return frame
