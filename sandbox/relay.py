"""Process 1 of a guest whose host gives it no pipes but stdin, stdout and stderr (Docker).

It runs as `python -c <this text> <text of boot.py> MODULE…`: a fork becomes the runner, with
pipes for stdout, stderr and its reports, and what comes through them goes out on the one stdout, in
frames. Like the runner it is no defence: the host reads what it writes as hostile input.

Frames: one byte for the stream (1 stdout, 2 stderr, 3 reports), four of length (big endian), then
so many bytes. Last comes stream 4 with the wait status of the runner as four bytes.
"""

import contextlib
import os
import select
import signal
import struct
import sys

STDOUT, STDERR, REPORTS, STATUS = 1, 2, 3, 4
CHUNK_BYTES = 1 << 16


def main() -> None:
    """Forks the runner and passes on what it says, until it has ended."""
    pairs = {stream: os.pipe() for stream in (STDOUT, STDERR, REPORTS)}
    ended, wake = os.pipe()
    os.set_blocking(wake, False)
    signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    child = os.fork()
    if child == 0:
        become_runner(pairs, (ended, wake))
    for _, write in pairs.values():
        os.close(write)
    os.close(0)
    pass_on({read: stream for stream, (read, _) in pairs.items()}, ended, child)


def become_runner(pairs: dict[int, tuple[int, int]], own: tuple[int, int]) -> None:
    """The child: its three pipes in place, nothing of the relay's left."""
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    writes = [os.dup2(write, 100 + stream) for stream, (_, write) in pairs.items()]
    for descriptor in (*own, *(end for pair in pairs.values() for end in pair)):
        os.close(descriptor)
    for stream, write in zip(pairs, writes, strict=True):
        os.dup2(write, stream)
        os.close(write)
    source = sys.argv[1]
    sys.argv = ["-c", *sys.argv[2:]]
    exec(compile(source, "<boot>", "exec"), {"__name__": "__main__"})  # noqa: S102
    os._exit(0)


def pass_on(streams: dict[int, int], ended: int, child: int) -> None:
    """Writes frames until the runner has ended and its pipes are empty."""
    status = None
    while status is None:
        ready, _, _ = select.select([*streams, ended], [], [])
        if ended in ready:
            os.read(ended, CHUNK_BYTES)
            status = reap(child)
        forward(streams, [read for read in ready if read != ended])
    # A descendant may hold the pipes open for ever: only what is there by now counts.
    while ready := select.select(list(streams), [], [], 0)[0]:
        forward(streams, ready)
    send(STATUS, struct.pack(">i", status))
    os._exit(0)


def reap(child: int) -> int | None:
    """Reaps all that has ended; the runner's wait status once it is among them."""
    status = None
    with contextlib.suppress(ChildProcessError):
        while True:
            pid, found = os.waitpid(-1, os.WNOHANG)
            if pid == 0:
                return status
            if pid == child:
                status = found
    return status


def forward(streams: dict[int, int], ready: list[int]) -> None:
    """One chunk from each pipe that has something; pipes at their end are left out from now on."""
    for read in ready:
        data = os.read(read, CHUNK_BYTES)
        if data:
            send(streams[read], data)
        else:
            del streams[read]


def send(stream: int, data: bytes) -> None:
    """Writes one frame."""
    rest = memoryview(struct.pack(">BI", stream, len(data)) + data)
    while rest:
        rest = rest[os.write(1, rest) :]


main()
