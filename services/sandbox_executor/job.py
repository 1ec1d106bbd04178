"""A run and what came of it: the words of the sandbox, without any technology."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum


class Outcome(StrEnum):
    """How a run ended, decided on what was seen from outside.

    OK              the frame that ends a run came, and every result before it is a value
    FAILED          the frame that ends a run came, and at least one result is an exception
    TIMED_OUT       our clock, or the CPU time that the sentry accounts, passed the limit
    MEMORY_LIMIT    the blocks of the sentry's memory file passed the limit, or the guest gave up
                    with an uncaught MemoryError under its address-space limit
    OUTPUT_LIMIT    more bytes than allowed were read from its pipes
    PROCESS_LIMIT   the sentry counted more tasks than allowed
    CRASHED         the reports ended, or broke, before the frame that ends a run

    The guest could claim a MemoryError that never was; it wins nothing, since it could as well
    really use the memory up.
    """

    OK = "ok"
    FAILED = "failed"
    TIMED_OUT = "timed_out"
    MEMORY_LIMIT = "memory_limit"
    OUTPUT_LIMIT = "output_limit"
    PROCESS_LIMIT = "process_limit"
    CRASHED = "crashed"


@dataclass(frozen=True)
class Limits:
    """Bounds of one run. Memory counts tmpfs too; processes count threads; output is both streams
    together; open files are those of one process, and `file_bytes` bounds each file."""

    wall_seconds: float
    cpu_seconds: float
    memory_bytes: int
    processes: int
    output_bytes: int
    open_files: int
    file_bytes: int


@dataclass(frozen=True)
class File:
    """A file below the working directory; `path` is relative, with "/" between folders."""

    path: str
    content: bytes


@dataclass(frozen=True)
class Call:
    """One call of a top-level function of the source, with keyword arguments."""

    function: str
    arguments: dict[str, object]


@dataclass(frozen=True)
class Job:
    """What to run: the source once, as `__main__`, then the calls in order.

    `collect` are patterns of files to hand back. `cell` counts from 1 in a session; it is 0 for a
    run that has its sandbox for itself.
    """

    source: str
    calls: Sequence[Call]
    stdin: bytes
    argv: Sequence[str]
    limits: Limits
    files: Sequence[File] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    collect: Sequence[str] = ()
    cell: int = 0


@dataclass(frozen=True)
class Returned:
    """A call gave a value: well-formed JSON text whose content is hostile."""

    value_json: str


@dataclass(frozen=True)
class Raised:
    """An exception as the guest described it: bounded, hostile text. `line` is 1-based, 0 where
    unknown."""

    type: str
    message: str
    traceback: str
    line: int
    source_line: str


Result = Returned | Raised | None


@dataclass(frozen=True)
class Verdict:
    """An outcome and a sentence for people on why; the sentence is empty for OK."""

    outcome: Outcome
    detail: str = ""


@dataclass(frozen=True)
class Ended:
    """What came of a run. `results` has one entry per call, None where the run ended before it."""

    verdict: Verdict
    results: Sequence[Result]
    exception: Raised | None
    stdout: bytes
    stderr: bytes
    sandbox_id: str
    wall_seconds: float
    peak_memory_bytes: int
    warm: bool
    files: Sequence[File]
