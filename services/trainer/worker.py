"""The process that trains: `python -m services.trainer.worker`, started by the service.

It imports the engine, says `ready`, waits for a job on stdin and reports on a pipe, one JSON
object a line: ready, heartbeat, phase, progress, done, failed. It dies with its parent.
"""

from __future__ import annotations

import argparse
import dataclasses
import errno
import json
import os
import select
import signal
import sys
import threading
import traceback
from typing import Any

from services.trainer.engine import EngineError, load_engine
from services.trainer.progress import Progress
from services.trainer.training_job import TrainingJob
from shared.process import die_with_parent

HEARTBEAT_SECONDS = 1.0


class PipeReporter:
    """Reports on a pipe, from any thread."""

    def __init__(self, descriptor: int) -> None:
        self._pipe = os.fdopen(descriptor, "w", encoding="utf-8")
        self._lock = threading.Lock()

    def send(self, kind: str, **fields: Any) -> None:
        """One line."""
        with self._lock:
            self._pipe.write(json.dumps({"kind": kind, **fields}) + "\n")
            self._pipe.flush()

    def progress(self, progress: Progress) -> None:
        """As `Reporter.progress`."""
        self.send("progress", **dataclasses.asdict(progress))

    def phase(self, name: str) -> None:
        """As `Reporter.phase`."""
        self.send("phase", name=name)


def _beat(reporter: PipeReporter, job_came: threading.Event) -> None:
    """Heartbeats until the pipe is closed, or stdin is: nobody waits for this work any more."""
    while True:
        if job_came.wait(HEARTBEAT_SECONDS):
            readable, _, _ = select.select([sys.stdin], [], [], HEARTBEAT_SECONDS)
            if readable and not os.read(sys.stdin.fileno(), 1):
                os._exit(3)
        try:
            reporter.send("heartbeat")
        except OSError:
            os._exit(3)


def _run(engine_name: str, reporter: PipeReporter) -> int:
    job_came = threading.Event()
    threading.Thread(target=_beat, args=(reporter, job_came), daemon=True).start()
    try:
        engine = load_engine(engine_name)
        reporter.send("ready")
        line = sys.stdin.readline()
        if not line:
            return 3
        job_came.set()
        engine.run(TrainingJob.from_json(line), reporter)
    except EngineError as error:
        reporter.send("failed", reason=error.reason, message=str(error))
        return 1
    except Exception as error:
        traceback.print_exc()  # stderr is the run's worker.log
        reason, message = "ENGINE_FAILED", f"{type(error).__name__}: {error}"
        if _is_disk_full(error):
            reason, message = "DISK_FULL", f"the Trainer's disk is full; make room ({message})"
        reporter.send("failed", reason=reason, message=message)
        return 1
    reporter.send("done")
    return 0


def _is_disk_full(error: Exception) -> bool:
    # What writes safetensors and checkpoints in Rust and C++ has no number for it, only words.
    known = isinstance(error, OSError) and error.errno == errno.ENOSPC
    return known or os.strerror(errno.ENOSPC) in str(error)


def main() -> int:
    """Parses the arguments that the service gives; returns the exit status."""
    parser = argparse.ArgumentParser(prog="services.trainer.worker")
    parser.add_argument("--engine", required=True)
    parser.add_argument("--reports", type=int, required=True, help="descriptor to report on")
    parser.add_argument("--parent", type=int, required=True, help="process to die with")
    arguments = parser.parse_args()
    die_with_parent(arguments.parent, signal.SIGKILL)
    return _run(arguments.engine, PipeReporter(arguments.reports))


if __name__ == "__main__":
    status = main()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)  # interpreter teardown of torch takes seconds and can hang on a GPU
