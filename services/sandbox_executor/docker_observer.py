"""What can be seen of a container from where we are: its sentry, or what Docker says of it."""

import asyncio
import contextlib
import os
import signal
from pathlib import Path
from typing import Protocol

import docker.errors
from docker.models.containers import Container

from services.sandbox_executor.runtime import Tasks
from services.sandbox_executor.sentry import SentryControl, SentryMemory, read_state

_ROOT = "--root="


class Observer(Protocol):
    """Sees a container from outside."""

    async def mark_ready(self) -> None:
        """From now on, CPU time counts."""
        ...

    def memory_bytes(self) -> int:
        """As of `runtime.Sandbox`."""
        ...

    async def tasks(self) -> Tasks | None:
        """As of `runtime.Sandbox`."""
        ...

    def signal(self, number: signal.Signals) -> None:
        """Sends a signal to all of it, where that is possible from here."""
        ...

    def close(self) -> None:
        """Looks no more."""
        ...


def observe(container: Container, runtime: str) -> Observer:
    """The closest look there is. Blocking.

    On the same host, as root, gVisor's sentry itself can be asked; through Docker's socket alone
    only its statistics.
    """
    container.reload()
    if runtime.startswith("runsc"):
        with contextlib.suppress(OSError, ValueError, KeyError, StopIteration):
            return SentryObserver(int(container.attrs["State"]["Pid"]), str(container.id))
    return StatisticsObserver(container, counts_tasks=not runtime.startswith("runsc"))


class SentryObserver:
    """Asks the sentry, whose command line names the directory of its control socket."""

    def __init__(self, pid: int, container: str) -> None:
        arguments = Path(f"/proc/{pid}/cmdline").read_bytes().decode().split("\0")
        root = next(word for word in arguments if word.startswith(_ROOT)).removeprefix(_ROOT)
        self._memory = SentryMemory(pid)
        self._pid = os.pidfd_open(pid)
        socket = read_state(Path(root), container).control_socket
        self._control = SentryControl(socket, container)

    async def mark_ready(self) -> None:
        """From now on, CPU time counts."""
        await self._control.mark_ready()

    def memory_bytes(self) -> int:
        """Memory in use on behalf of the guest now; 0 where it is gone."""
        return self._memory.bytes_in_use()

    async def tasks(self) -> Tasks | None:
        """Less the relay, which is ours."""
        tasks = await self._control.tasks()
        return tasks and Tasks(tasks.count - 1, tasks.cpu_seconds)

    def signal(self, number: signal.Signals) -> None:
        """Sends a signal to the sentry, in which all of the guest lives."""
        with contextlib.suppress(ProcessLookupError):
            signal.pidfd_send_signal(self._pid, number)

    def close(self) -> None:
        """Looks no more."""
        self._control.close()
        os.close(self._pid)


class StatisticsObserver:
    """Asks Docker, whose answer takes some 10 ms.

    With gVisor behind Docker the count of tasks is that of the sentry's own threads: it says
    nothing of the guest, and the guest's own limit on processes has to do.
    """

    def __init__(self, container: Container, *, counts_tasks: bool) -> None:
        self._container = container
        self._counts_tasks = counts_tasks
        self._cpu_at_boot = 0.0
        self._memory = 1

    async def mark_ready(self) -> None:
        """From now on, CPU time counts."""
        tasks = await self.tasks()
        self._cpu_at_boot = tasks.cpu_seconds if tasks else 0.0

    def memory_bytes(self) -> int:
        """As it was when `tasks` was last asked."""
        return self._memory

    async def tasks(self) -> Tasks | None:
        """What Docker accounts now, the relay left out; None where it does not answer."""
        try:
            found = await asyncio.to_thread(self._container.stats, stream=False, one_shot=True)
            self._memory = int(found["memory_stats"]["usage"])
            count = int(found["pids_stats"]["current"]) - 1 if self._counts_tasks else 0
            cpu = int(found["cpu_stats"]["cpu_usage"]["total_usage"]) / 1e9
        except (docker.errors.DockerException, OSError, KeyError, ValueError):
            return None
        return Tasks(count, cpu - self._cpu_at_boot)

    def signal(self, number: signal.Signals) -> None:
        """Out of reach from here."""

    def close(self) -> None:
        """Looks no more."""
