"""The worker process as the service sees it: started, listened to, killed, reaped."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import sys
import time
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from services.trainer.progress import Progress
from services.trainer.training_job import TrainingJob
from shared.errors import FailedPrecondition, Internal

_ROOT = Path(__file__).resolve().parents[2]
_LINE_LIMIT_BYTES = 256 * 1024
_TAIL_BYTES = 2000
_ENVIRONMENT = {
    "TOKENIZERS_PARALLELISM": "false",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "HF_HUB_DISABLE_PROGRESS_BARS": "1",
    "TRANSFORMERS_VERBOSITY": "error",
    # Threads that wait by sleeping: spinning ones halve the speed beside any other load.
    "OMP_WAIT_POLICY": "PASSIVE",
}


@dataclass(frozen=True)
class Phase:
    """The worker began `training` or `exporting`."""

    name: str


class TrainingProcess:
    """One worker. It is killed with everything that it started, whatever happens here."""

    def __init__(
        self, process: asyncio.subprocess.Process, reports: asyncio.StreamReader, log: Path
    ) -> None:
        self._process = process
        self._log = log
        self._reports = reports
        self._last_heard = time.monotonic()
        self._stopped = False

    @classmethod
    @contextlib.asynccontextmanager
    async def started(
        cls, engine: str, log: Path, extra: Mapping[str, str]
    ) -> AsyncIterator[TrainingProcess]:
        """Starts a worker, which begins to import the engine; it is gone after the block."""
        reading, writing = os.pipe()
        try:
            process = await _spawn(engine, writing, log, extra)
        except BaseException:
            os.close(reading)
            raise
        finally:
            os.close(writing)
        reports = asyncio.StreamReader(limit=_LINE_LIMIT_BYTES)
        transport, _ = await asyncio.get_running_loop().connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(reports), os.fdopen(reading, "rb")
        )
        worker = cls(process, reports, log)
        try:
            yield worker
        finally:
            await worker.stop()
            transport.close()

    def heard_within(self, seconds: float) -> bool:
        """True where the worker gave a sign of life in the last `seconds`, or was stopped."""
        return self._stopped or time.monotonic() - self._last_heard <= seconds

    async def stop(self) -> None:
        """Kills what is left of the worker's process group and reaps it."""
        self._stopped = True
        _kill_group(self._process.pid)
        await asyncio.shield(self._process.wait())

    async def ready(self) -> None:
        """Returns once the engine is imported; raises as `train` does where it cannot be."""
        async for kind, _ in self._heard():
            if kind == "ready":
                return

    async def train(self, job: TrainingJob) -> AsyncIterator[Progress | Phase]:
        """Hands the job over and yields what the worker reports, until it is done.

        Raises FailedPrecondition with the engine's reason where it gave up, Internal
        (WORKER_DIED) where it ended without a word.
        """
        await self._send(job.to_json())
        async for kind, fields in self._heard():
            match kind:
                case "progress":
                    yield Progress(**fields)
                case "phase":
                    yield Phase(fields["name"])
                case "done":
                    return

    async def _heard(self) -> AsyncIterator[tuple[str, dict[str, Any]]]:
        """What the worker says, without end: its death is an error, and so is its giving up."""
        self._last_heard = time.monotonic()
        while line := await self._reports.readline():
            self._last_heard = time.monotonic()
            fields = json.loads(line)
            kind = fields.pop("kind")
            if kind == "failed":
                raise FailedPrecondition(fields["message"], reason=fields["reason"])
            yield kind, fields
        raise await self._death()

    async def _send(self, line: str) -> None:
        stdin = self._process.stdin
        assert stdin is not None, "the worker is started with a pipe"
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # told by readline below
            stdin.write(line.encode() + b"\n")
            await stdin.drain()

    async def _death(self) -> Internal:
        status = await self._process.wait()
        how = f"by {signal.Signals(-status).name}" if status < 0 else f"with status {status}"
        tail = await asyncio.to_thread(_tail, self._log)
        return Internal(
            f"the training worker ended {how} before it was done{': ' if tail else ''}{tail}",
            reason="WORKER_DIED",
        )


async def _spawn(
    engine: str, writing: int, log: Path, extra: Mapping[str, str]
) -> asyncio.subprocess.Process:
    paths = [str(_ROOT), os.environ.get("PYTHONPATH", "")]
    environment: dict[str, Any] = {
        **_ENVIRONMENT,
        **os.environ,
        **extra,
        "PYTHONPATH": os.pathsep.join(filter(None, paths)),
    }
    command = [sys.executable, "-m", "services.trainer.worker", "--engine", engine]
    with log.open("ab") as output:
        return await asyncio.create_subprocess_exec(
            *command,
            "--reports",
            str(writing),
            "--parent",
            str(os.getpid()),
            stdin=asyncio.subprocess.PIPE,
            stdout=output,
            stderr=output,
            pass_fds=(writing,),
            cwd=_ROOT,
            env=environment,
            start_new_session=True,  # so that the whole group can be killed
        )


def _kill_group(group: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(group, signal.SIGKILL)


def _tail(log: Path) -> str:
    """The last line of the worker's own words."""
    try:
        words = log.read_bytes()[-_TAIL_BYTES:].decode("utf-8", "replace")
    except OSError:
        return ""
    lines = [line.strip() for line in words.splitlines() if line.strip()]
    return lines[-1][:300] if lines else ""
