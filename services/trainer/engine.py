"""What every training engine offers, and which engines there are."""

from __future__ import annotations

import importlib
from typing import Protocol

from services.trainer.progress import Progress
from services.trainer.training_job import TrainingJob
from shared.errors import FailedPrecondition, InvalidArgument

_MODULES = {"trl": "services.trainer.trl_engine"}
_NEEDS = {
    "unsloth": "the unsloth engine needs an NVIDIA GPU and the unsloth package, and neither is "
    "here; use the trl engine"
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
    if name in _NEEDS:
        raise FailedPrecondition(_NEEDS[name], reason="ENGINE_UNAVAILABLE")
    if name not in _MODULES:
        known = ", ".join(sorted([*_MODULES, *_NEEDS]))
        raise InvalidArgument.of_field("engine", f"{name!r} is unknown; there is {known}")


def load_engine(name: str) -> Engine:
    """Imports an engine and everything that it stands on: many seconds, in a worker only."""
    module = importlib.import_module(_MODULES[name])
    engine: Engine = module.ENGINE
    return engine
