"""What every training engine offers, and which engines there are."""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Iterator
from typing import Protocol

from services.trainer.nvidia import has_nvidia_gpu
from services.trainer.progress import Progress
from services.trainer.training_job import TrainingJob
from shared.errors import FailedPrecondition, InvalidArgument

_MODULES = {
    "trl": "services.trainer.trl_engine",
    "unsloth": "services.trainer.unsloth_engine",
}


class Reporter(Protocol):
    """Where an engine says how far it is."""

    def progress(self, progress: Progress) -> None:
        """After each optimiser step."""

    def phase(self, name: str) -> None:
        """`training`, then `exporting`."""


class Engine(Protocol):
    """Trains, merges and writes `job.merged` and `job.parity`; goes on from a checkpoint."""

    def run(self, job: TrainingJob, reporter: Reporter) -> None:
        """Blocks until the merged model is written; raises EngineError where it cannot be."""


class EngineError(Exception):
    """Training cannot succeed; `reason` is a word for programs, the message a sentence."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


def check_engine(name: str) -> None:
    """Raises where no such engine is known (InvalidArgument) or usable (FailedPrecondition)."""
    if name not in _MODULES:
        known = ", ".join(sorted(_MODULES))
        raise InvalidArgument.of_field("engine", f"{name!r} is unknown; there is {known}")
    lacking = list(_lacking_for_unsloth()) if name == "unsloth" else []
    if lacking:
        raise FailedPrecondition(
            f"the unsloth engine lacks {' and '.join(lacking)}; use the trl engine, which needs "
            "neither",
            reason="ENGINE_UNAVAILABLE",
        )


def _lacking_for_unsloth() -> Iterator[str]:
    if not has_nvidia_gpu():
        yield "an NVIDIA GPU with its driver"
    if importlib.util.find_spec("unsloth") is None:
        yield "the unsloth package (pip install 'batos[gpu]')"


def load_engine(name: str) -> Engine:
    """Imports an engine and everything that it stands on: many seconds, in a worker only."""
    module = importlib.import_module(_MODULES[name])
    engine: Engine = module.ENGINE
    return engine
