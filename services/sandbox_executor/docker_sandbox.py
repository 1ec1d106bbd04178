"""One sandbox in a Docker container: its streams, what is seen of it, and its end."""

import asyncio
import contextlib
import os
import signal
import socket
import struct

import docker.errors
import requests.exceptions
from docker.models.containers import Container

from services.sandbox_executor.docker_observer import Observer
from services.sandbox_executor.docker_stream import STATUS, BrokenStream, ContainerStream
from services.sandbox_executor.pipes import write_all
from services.sandbox_executor.runtime import Tasks

_EXIT_SECONDS = 2.0
_CHUNK_BYTES = 1 << 16


class DockerSandbox:
    """A container whose relay speaks to us over `attached`; see `runtime.Sandbox`."""

    helpers = 1

    def __init__(self, sandbox_id: str, container: Container, attached: socket.socket) -> None:
        self.id = sandbox_id
        self._container = container
        self._attached = attached
        attached.setblocking(False)
        self.requests = attached.fileno()
        ends = {stream: os.pipe() for stream in (1, 2, 3)}
        for pair in ends.values():
            for end in pair:
                os.set_blocking(end, False)
        self.stdout, self.stderr, self.reports = (ends[stream][0] for stream in (1, 2, 3))
        self._writes = {stream: pair[1] for stream, pair in ends.items()}
        self._stream = ContainerStream()
        self._status: int | None = None
        self._observer: Observer | None = None
        self._killed: asyncio.Task[None] | None = None
        self._pumping = asyncio.create_task(self._pump())

    @property
    def words(self) -> str:
        """What the container itself said on stderr."""
        return self._stream.words.decode("utf-8", "replace").strip()

    async def watch_with(self, observer: Observer) -> None:
        """Says how it is seen from outside; from now on, CPU time counts."""
        self._observer = observer
        await observer.mark_ready()

    def alive(self) -> bool:
        """False once it has ended by itself."""
        return not self._pumping.done() and self.memory_bytes() > 0

    def pause(self) -> None:
        """Stops it until it is needed, where that is possible from here."""
        if self._observer:
            self._observer.signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Lets it run."""
        if self._observer:
            self._observer.signal(signal.SIGCONT)

    def memory_bytes(self) -> int:
        """Memory in use on behalf of the guest now."""
        return self._observer.memory_bytes() if self._observer else 0

    async def tasks(self) -> Tasks | None:
        """What is accounted now; None where nobody answers."""
        return await self._observer.tasks() if self._observer else None

    async def exit_status(self) -> int | None:
        """Waits a moment for its end: 128 + signal where one ended it, None where it still runs."""
        await asyncio.wait({self._pumping}, timeout=_EXIT_SECONDS)
        if self._status is not None:
            code = os.waitstatus_to_exitcode(self._status)
            return 128 - code if code < 0 else code
        return 128 + signal.SIGKILL if self._pumping.done() else None

    async def out_of_memory(self) -> bool:
        """What Docker says of the container's end."""
        with contextlib.suppress(
            docker.errors.DockerException, requests.exceptions.RequestException
        ):
            await asyncio.to_thread(self._container.reload)
            return bool(self._container.attrs["State"]["OOMKilled"])
        return False

    def kill(self) -> None:
        """Ends everything in it at once; returns without waiting."""
        if self._killed is None:
            if self._observer:
                # Docker would ask it to end, and one that is stopped hears nothing.
                self._observer.signal(signal.SIGKILL)
            self._killed = asyncio.create_task(asyncio.to_thread(self._remove))

    async def destroy(self) -> None:
        """Kills, and removes all that it left on the host."""
        self.kill()
        self._pumping.cancel()
        await asyncio.gather(self._pumping, return_exceptions=True)
        if self._observer:
            self._observer.close()
        for descriptor in (self.stdout, self.stderr, self.reports):
            os.close(descriptor)
        self._attached.close()
        assert self._killed is not None
        await self._killed

    def _remove(self) -> None:
        with contextlib.suppress(docker.errors.NotFound):
            self._container.remove(force=True)

    async def _pump(self) -> None:
        """Passes on what the relay sends; the ends of our pipes tell that it has ended."""
        loop = asyncio.get_running_loop()
        try:
            while data := await loop.sock_recv(self._attached, _CHUNK_BYTES):
                for stream, content in self._stream.feed(data):
                    await self._take(stream, content)
        except (OSError, BrokenStream, struct.error):
            self.kill()
        finally:
            for write in self._writes.values():
                os.close(write)

    async def _take(self, stream: int, content: bytes) -> None:
        if stream == STATUS:
            (self._status,) = struct.unpack(">i", content)
        elif stream in self._writes:
            await write_all(self._writes[stream], content)
