"""What gVisor's kernel, the sentry, shows of a sandbox to the host.

Two sources, both out of the guest's reach. The sentry holds all guest memory in one memory file,
whose allocated blocks are the truth (its resident size is not: 2,000 MB in use were seen as 250).
And it answers on a control socket (gVisor's pkg/urpc: JSON requests on a stream), where it accounts
tasks and CPU time; `runsc events` asks the same.
"""

import asyncio
import json
import os
from dataclasses import dataclass
from pathlib import Path

from services.sandbox_executor.runtime import Tasks

_MEMORY_FILE = "memfd:runsc-memory"
_BLOCK_BYTES = 512
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
_ANSWER_SECONDS = 1.0
_ANSWER_LIMIT_BYTES = 1 << 16


@dataclass(frozen=True)
class SentryState:
    """What `runsc run` wrote down about a sandbox in its state directory."""

    sentry_pid: int
    gofer_pid: int
    control_socket: Path


def read_state(directory: Path, container: str = "") -> SentryState:
    """Reads runsc's own state file. Raises OSError, ValueError, KeyError or StopIteration."""
    state = json.loads(next(directory.glob(f"{container}*.state")).read_text("utf-8"))
    return SentryState(
        sentry_pid=int(state["sandbox"]["pid"]),
        gofer_pid=int(state["goferPid"]),
        control_socket=Path(state["sandbox"]["controlSocketPath"]),
    )


class SentryMemory:
    """Memory that a sentry holds for its guest: the memory file, and its own growth since boot.

    The growth counts because files and sockets of the guest live on the sentry's heap.
    """

    def __init__(self, pid: int) -> None:
        self._statm = Path(f"/proc/{pid}/statm")
        self._memory_file = next(
            entry
            for entry in Path(f"/proc/{pid}/fd").iterdir()
            if _MEMORY_FILE in os.readlink(entry)  # noqa: PTH115 - a link that leads nowhere
        )
        self._heap_at_boot = self._heap_bytes()

    def bytes_in_use(self) -> int:
        """Bytes now; 0 where the sentry is gone."""
        try:
            blocks = self._memory_file.stat().st_blocks
            return blocks * _BLOCK_BYTES + max(0, self._heap_bytes() - self._heap_at_boot)
        except OSError:
            return 0

    def _heap_bytes(self) -> int:
        _, resident, shared = self._statm.read_text("ascii").split()[:3]
        return (int(resident) - int(shared)) * _PAGE_BYTES


class SentryControl:
    """Asks the sentry over its control socket, one question at a time."""

    def __init__(self, socket: Path, container: str) -> None:
        self._socket = socket
        self._question = json.dumps({"method": "containerManager.Event", "arg": container}).encode()
        self._container = container
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
        self._cpu_at_boot = 0.0
        # The watchdog's look and the last look at the end of a run may meet.
        self._turn = asyncio.Lock()

    async def mark_ready(self) -> None:
        """From now on, CPU time counts. Raises ConnectionError where the sentry does not answer."""
        tasks = await self.tasks()
        if tasks is None:
            raise ConnectionError(f"the sentry does not answer on {self._socket}")
        self._cpu_at_boot = tasks.cpu_seconds

    async def tasks(self) -> Tasks | None:
        """What it accounts now; None where it does not answer within a second."""
        try:
            async with asyncio.timeout(_ANSWER_SECONDS), self._turn:
                return self._parse(await self._ask())
        except asyncio.CancelledError:
            self.close()
            raise
        except (OSError, ValueError, KeyError, TypeError, asyncio.IncompleteReadError):
            # A late answer would be taken for the next one.
            self.close()
            return None

    def close(self) -> None:
        """Hangs up."""
        if self._streams:
            self._streams[1].close()
            self._streams = None

    async def _ask(self) -> bytes:
        if self._streams is None:
            self._streams = await _connect(self._socket)
        reader, writer = self._streams
        writer.write(self._question)
        await writer.drain()
        return await _read_object(reader)

    def _parse(self, answer: bytes) -> Tasks:
        result = json.loads(answer)["result"]
        data = result["event"]["data"]
        # Without cgroups it is said per container, with them only in their own words.
        usage = result["containerUsage"]
        cpu = usage[self._container] if usage else data["cpu"]["usage"]["total"]
        return Tasks(int(data["pids"]["current"]), int(cpu) / 1e9 - self._cpu_at_boot)


async def _connect(path: Path) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Connects by way of the directory, since Docker's is too long for sun_path of unix(7)."""
    directory = os.open(path.parent, os.O_PATH | os.O_DIRECTORY)
    try:
        return await asyncio.open_unix_connection(f"/proc/self/fd/{directory}/{path.name}")
    finally:
        os.close(directory)


async def _read_object(reader: asyncio.StreamReader) -> bytes:
    """One JSON object; they follow each other without any separator."""
    data = b""
    while len(data) < _ANSWER_LIMIT_BYTES:
        chunk = await reader.read(_ANSWER_LIMIT_BYTES)
        if not chunk:
            raise asyncio.IncompleteReadError(data, None)
        data += chunk
        if data.rstrip().endswith(b"}") and data.count(b"{") == data.count(b"}"):
            return data
    raise ValueError("the answer is too long")
