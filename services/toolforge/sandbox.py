"""The port to the place where untrusted code runs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

from services.toolforge.finding import Raised


class Outcome(StrEnum):
    """How a run ended, on evidence seen from outside the sandbox."""

    OK = "ok"
    FAILED = "failed"
    TIMED_OUT = "timed out"
    MEMORY_LIMIT = "exceeded the memory limit"
    OUTPUT_LIMIT = "exceeded the output limit"
    PROCESS_LIMIT = "exceeded the process limit"
    CRASHED = "crashed"


@dataclass(frozen=True)
class Program:
    """Source to run, and the texts of the files that it may import, by their relative path."""

    source: str
    files: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Limits:
    """Bounds of a run: wall time in seconds, memory in bytes (0: the sandbox's default)."""

    wall_seconds: float
    memory_bytes: int = 0


@dataclass(frozen=True)
class Call:
    """A call of one function: a JSON object of keyword arguments."""

    function: str
    arguments_json: str


@dataclass(frozen=True)
class Returned:
    """A call gave a value, as JSON text that came out of the sandbox: hostile."""

    value_json: str


@dataclass(frozen=True)
class Run:
    """What came of a run: one result per call, None where the run ended before the call did.

    `error` is set where the source itself raised; `wall_seconds` is from claim to end.
    """

    outcome: Outcome
    results: tuple[Returned | Raised | None, ...]
    error: Raised | None
    detail: str
    sandbox_id: str
    wall_seconds: float


class Sandbox(Protocol):
    """Runs source in a fresh sandbox of its own."""

    async def run(self, program: Program, calls: Sequence[Call], limits: Limits) -> Run:
        """Executes the source once, then the calls in order.

        Raises shared.errors.BatosError where nothing could be run; Unavailable carries the
        sandbox's own sentence.
        """
        ...

    async def require(self) -> None:
        """Raises Unavailable, with what to install, where nothing can be run."""
        ...
