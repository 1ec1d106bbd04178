"""One run in one claimed sandbox, from the request to the verdict."""

import asyncio
import signal
import time
from collections.abc import Callable

from services.sandbox_executor import metrics
from services.sandbox_executor.frames import BrokenFrame, FrameReader, encode_request
from services.sandbox_executor.job import Ended, Job, Outcome, Verdict
from services.sandbox_executor.memory_budget import MemoryBudget
from services.sandbox_executor.output import Listener, Output
from services.sandbox_executor.pipes import PipeReader, write_all
from services.sandbox_executor.runtime import Sandbox
from services.sandbox_executor.transcript import Transcript
from services.sandbox_executor.watchdog import Watchdog
from shared import tracing

_DETAIL_CHARACTERS = 500


class Run:
    """Sends the request, reads what comes, and settles on the first verdict that is proved.

    It leaves the sandbox stopped where all went well, for a session's next cell, and else dead.
    `listener` hears what is printed, as far as it is kept.
    """

    def __init__(
        self,
        sandbox: Sandbox,
        job: Job,
        budget: MemoryBudget,
        *,
        warm: bool,
        listener: Listener | None = None,
    ) -> None:
        self._sandbox = sandbox
        self._job = job
        self._warm = warm
        self._started = time.perf_counter()
        self._frames = FrameReader()
        self._transcript = Transcript(len(job.calls), collects=bool(job.collect))
        self._output = Output(job.limits.output_bytes, listener)
        self._watchdog = Watchdog(sandbox, job.limits, budget)
        # Whoever settles it first wins. None: the reports ended before the run did.
        self._first: asyncio.Future[Verdict | None] = asyncio.get_running_loop().create_future()

    async def finish(self) -> Ended:
        """Runs the job to its end; bounded by its wall limit."""
        with tracing.span("run", sandbox=self._sandbox.id) as span:
            ended = await self._finish()
            if span is not None:
                span.set_attribute("outcome", ended.verdict.outcome.value)
        metrics.runs.labels(ended.verdict.outcome.value).inc()
        return ended

    async def _finish(self) -> Ended:
        if self._job.cell:
            await self._watchdog.count_from_here()
        reports = PipeReader(self._sandbox.reports, self._receive, self._reports_ended)
        printed = [
            PipeReader(self._sandbox.stdout, self._counted(self._output.add_stdout)),
            PipeReader(self._sandbox.stderr, self._counted(self._output.add_stderr)),
        ]
        helpers = [
            asyncio.create_task(
                write_all(self._sandbox.requests, encode_request(self._job, self._sandbox.helpers))
            ),
            asyncio.create_task(self._watch()),
        ]
        try:
            verdict = await self._decide()
            if verdict.outcome in (Outcome.OK, Outcome.FAILED):
                # It has come to its end; killing it would take milliseconds from the answer.
                self._sandbox.pause()
            else:
                self._sandbox.kill()
            for reader in printed:
                reader.drain()
            return self._ended(verdict)
        finally:
            for reader in (reports, *printed):
                reader.stop()
            for helper in helpers:
                helper.cancel()
            self._watchdog.close()
            await asyncio.gather(*helpers, return_exceptions=True)

    async def _decide(self) -> Verdict:
        wall = self._job.limits.wall_seconds
        try:
            async with asyncio.timeout(wall):
                first = await self._first
        except TimeoutError:
            where = self._transcript.where()
            return Verdict(Outcome.TIMED_OUT, f"not done within {wall:g} s; stopped {where}")
        return await self._proved(first or await self._crash())

    async def _proved(self, verdict: Verdict) -> Verdict:
        """Looks once more before the sandbox goes: a limit may be why the guest gave up."""
        if evidence := self._watchdog.look_at_memory():
            return evidence
        if verdict.outcome is Outcome.FAILED:
            return await self._watchdog.look_at_tasks() or verdict
        return verdict

    async def _crash(self) -> Verdict:
        status = await self._sandbox.exit_status()
        if await self._sandbox.out_of_memory():
            return Verdict(Outcome.MEMORY_LIMIT, "the host's kernel ended it: it used too much")
        return Verdict(
            Outcome.CRASHED,
            f"the guest ended {self._transcript.where()} without a report: {_describe(status)}",
        )

    async def _watch(self) -> None:
        self._settle(await self._watchdog.watch())

    def _receive(self, data: bytes) -> None:
        try:
            for frame in self._frames.feed(data):
                self._transcript.add(frame)
        except BrokenFrame as error:
            self._settle(Verdict(Outcome.CRASHED, f"the guest's report is broken: {error}"))
        if self._transcript.ended:
            self._settle(self._reported())

    def _reports_ended(self) -> None:
        self._settle(None)

    def _counted(self, add: Callable[[bytes], None]) -> Callable[[bytes], None]:
        def take(data: bytes) -> None:
            add(data)
            if self._output.exceeded:
                self._settle(self._too_much_output())

        return take

    def _settle(self, verdict: Verdict | None) -> None:
        if not self._first.done():
            self._first.set_result(verdict)

    def _reported(self) -> Verdict:
        """The verdict on a run whose last frame has come."""
        failures = self._transcript.failures
        if not failures:
            return Verdict(Outcome.OK)
        if any(raised.type == "MemoryError" for raised in failures):
            return Verdict(Outcome.MEMORY_LIMIT, "an allocation beyond the limit was refused")
        detail = f"{failures[0].type}: {failures[0].message}"
        return Verdict(Outcome.FAILED, detail[:_DETAIL_CHARACTERS])

    def _too_much_output(self) -> Verdict:
        limit = self._job.limits.output_bytes
        return Verdict(Outcome.OUTPUT_LIMIT, f"printed more than {limit} bytes")

    def _ended(self, verdict: Verdict) -> Ended:
        # The last of the output was read after the verdict.
        if self._output.exceeded and verdict.outcome in (Outcome.OK, Outcome.FAILED):
            verdict = self._too_much_output()
        return Ended(
            verdict=verdict,
            results=tuple(self._transcript.results),
            exception=self._transcript.exception,
            stdout=self._output.stdout,
            stderr=self._output.stderr,
            sandbox_id=self._sandbox.id,
            wall_seconds=time.perf_counter() - self._started,
            peak_memory_bytes=self._watchdog.peak_memory_bytes,
            warm=self._warm,
            files=tuple(self._transcript.files),
        )


def _describe(status: int | None) -> str:
    if status is None:
        return "it closed its report and went on"
    if status > 128:
        try:
            return f"signal {signal.Signals(status - 128).name}"
        except ValueError:
            return f"signal {status - 128}"
    return f"exit status {status}"
