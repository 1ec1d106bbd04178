"""Watches a running sandbox from outside and says when it has gone over a limit."""

import asyncio

from services.sandbox_executor.job import Limits, Outcome, Verdict
from services.sandbox_executor.memory_budget import MemoryBudget
from services.sandbox_executor.runtime import Sandbox, Tasks

# A guest fills about 1 MB a millisecond: 20 ms is some 20 MB past the limit.
_MEMORY_SECONDS = 0.02
_TASKS_SECONDS = 0.05
_MEGABYTE = 1 << 20


class Watchdog:
    """Compares what the host sees with the limits of a run.

    `peak_memory_bytes` is the most that was seen.
    """

    def __init__(self, sandbox: Sandbox, limits: Limits, budget: MemoryBudget) -> None:
        self._sandbox = sandbox
        self._limits = limits
        self._budget = budget
        self._cpu_before = 0.0
        self.peak_memory_bytes = 0

    async def count_from_here(self) -> None:
        """CPU time that was used before does not count: it was another cell's."""
        tasks = await self._sandbox.tasks()
        self._cpu_before = tasks.cpu_seconds if tasks else 0.0

    def close(self) -> None:
        """Its sandbox no longer counts among those that run."""
        self._budget.forget(self)

    async def watch(self) -> Verdict:
        """Returns once a limit is passed; bounded by whoever cancels it."""
        memory = asyncio.create_task(self._watch_memory())
        tasks = asyncio.create_task(self._watch_tasks())
        try:
            done, _ = await asyncio.wait((memory, tasks), return_when=asyncio.FIRST_COMPLETED)
            return done.pop().result()
        finally:
            memory.cancel()
            tasks.cancel()

    def look_at_memory(self) -> Verdict | None:
        """One look; None while all is well."""
        used = self._sandbox.memory_bytes()
        self.peak_memory_bytes = max(self.peak_memory_bytes, used)
        if used <= self._limits.memory_bytes:
            return self._judge_together(used)
        return Verdict(
            Outcome.MEMORY_LIMIT,
            f"used {used // _MEGABYTE} MiB of memory; "
            f"{self._limits.memory_bytes // _MEGABYTE} MiB are allowed",
        )

    def _judge_together(self, used: int) -> Verdict | None:
        if not self._budget.is_over(self, used):
            return None
        return Verdict(
            Outcome.MEMORY_LIMIT,
            f"used {used // _MEGABYTE} MiB, the most of all runs, which together use more than the "
            f"{self._budget.total_bytes // _MEGABYTE} MiB that this executor has for them",
        )

    async def look_at_tasks(self) -> Verdict | None:
        """One look; None while all is well, or where the sentry does not answer."""
        tasks = await self._sandbox.tasks()
        return self._judge(tasks) if tasks else None

    def _judge(self, tasks: Tasks) -> Verdict | None:
        if tasks.count > self._limits.processes:
            return Verdict(
                Outcome.PROCESS_LIMIT,
                f"more than {self._limits.processes} processes and threads at once",
            )
        if tasks.cpu_seconds - self._cpu_before > self._limits.cpu_seconds:
            return Verdict(
                Outcome.TIMED_OUT, f"used more than {self._limits.cpu_seconds:g} s of CPU time"
            )
        return None

    async def _watch_memory(self) -> Verdict:
        while True:
            if verdict := self.look_at_memory():
                return verdict
            await asyncio.sleep(_MEMORY_SECONDS)

    async def _watch_tasks(self) -> Verdict:
        while True:
            await asyncio.sleep(_TASKS_SECONDS)
            if verdict := await self.look_at_tasks():
                return verdict
