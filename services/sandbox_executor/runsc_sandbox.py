"""One sandbox under `runsc run`: its process, its pipes and its end."""

import asyncio
import contextlib
import os
import shutil
import signal
import subprocess
from dataclasses import dataclass
from pathlib import Path

from services.sandbox_executor import processes
from services.sandbox_executor.cgroup import Cgroups
from services.sandbox_executor.runtime import Tasks
from services.sandbox_executor.sentry import SentryControl, SentryMemory, SentryState

_EXIT_SECONDS = 2.0


@dataclass(frozen=True)
class HostPipes:
    """Our ends of the guest's pipes: non-blocking descriptors."""

    requests: int
    reports: int
    stdout: int
    stderr: int

    def close(self) -> None:
        """Closes all four."""
        for descriptor in (self.requests, self.reports, self.stdout, self.stderr):
            os.close(descriptor)


class RunscSandbox:
    """A booted sandbox; see `runtime.Sandbox`."""

    helpers = 0

    def __init__(
        self,
        directory: Path,
        process: "subprocess.Popen[bytes]",
        pipes: HostPipes,
        state: SentryState,
        cgroups: Cgroups | None,
    ) -> None:
        self.id = directory.name
        self.requests = pipes.requests
        self.reports = pipes.reports
        self.stdout = pipes.stdout
        self.stderr = pipes.stderr
        self._directory = directory
        self._process = process
        self._pipes = pipes
        self._state = state
        self._cgroups = cgroups
        # A descriptor and not a number: it never means another process.
        self._sentry = os.pidfd_open(state.sentry_pid)
        self._memory = SentryMemory(state.sentry_pid)
        self._control = SentryControl(state.control_socket, self.id)

    async def mark_ready(self) -> None:
        """From now on, CPU time counts. Raises ConnectionError where gVisor does not answer."""
        await self._control.mark_ready()

    def alive(self) -> bool:
        """False once it has ended by itself."""
        return self._process.poll() is None and self._memory.bytes_in_use() > 0

    def pause(self) -> None:
        """Stops the sentry: its scheduler ticks a thousand times a second even when idle."""
        self._signal_sentry(signal.SIGSTOP)

    def resume(self) -> None:
        """Lets the sentry run."""
        self._signal_sentry(signal.SIGCONT)

    def memory_bytes(self) -> int:
        """Memory in use on behalf of the guest now; 0 where it is gone."""
        return self._memory.bytes_in_use()

    async def tasks(self) -> Tasks | None:
        """What the sentry accounts now; None where it does not answer."""
        return await self._control.tasks()

    async def exit_status(self) -> int | None:
        """Waits a moment for its end: 128 + signal where one ended it, None where it still runs."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            return await asyncio.to_thread(self._process.wait, _EXIT_SECONDS)
        return None

    async def out_of_memory(self) -> bool:
        """What its control group says, where it has one."""
        if self._cgroups is None:
            return False
        return await asyncio.to_thread(self._cgroups.ended_by_kernel, self.id)

    def kill(self) -> None:
        """Ends everything in it at once; returns without waiting."""
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGKILL)

    async def destroy(self) -> None:
        """Kills, reaps, and removes all that it left on the host."""
        self._control.close()
        self.kill()
        self._pipes.close()
        os.close(self._sentry)
        await asyncio.to_thread(discard, self._process, self._directory, self._cgroups, self._state)

    def _signal_sentry(self, number: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError):
            signal.pidfd_send_signal(self._sentry, number)


def discard(
    process: "subprocess.Popen[bytes]",
    directory: Path,
    cgroups: Cgroups | None,
    state: SentryState | None = None,
) -> None:
    """Ends a `runsc run` and removes its directory and control group. Blocking.

    Its helpers die with it (PR_SET_PDEATHSIG); any that does not is killed by its number, which
    cannot have been given to another process while we are the one that has to reap it.
    """
    if process.poll() is None:
        process.kill()
    process.wait()
    processes.forget_child(process.pid)
    helpers = [state.sentry_pid, state.gofer_pid] if state else []
    if not processes.wait_gone(helpers, _EXIT_SECONDS):
        processes.kill_and_wait(processes.of_owner(f"{directory}/"))
    shutil.rmtree(directory, ignore_errors=True)
    if cgroups:
        cgroups.remove(directory.name)
