"""Reads the limits that a caller asks for."""

from dataclasses import dataclass
from typing import Any, TypeAlias

from batos.sandbox.v1 import sandbox_pb2 as pb

from services.sandbox_executor.job import Limits
from shared.durations import seconds_of
from shared.errors import Violation

_LEAST_MEMORY_BYTES = 32 << 20
_LEAST_OPEN_FILES = 8

Faults: TypeAlias = list[Violation]


@dataclass(frozen=True)
class Bounds:
    """The limits of a run that asks for none, and those that no run may pass."""

    default: Limits
    most: Limits


def read_limits(asked: pb.Limits, bounds: Bounds, faults: Faults) -> Limits:
    """The limits of a run: those asked for, else the defaults."""

    def choose(field: str, value: Any, default: Any, most: Any, least: Any = 0) -> Any:
        if not value:
            return min(default, most)
        if not least <= value <= most or value < 0:
            faults.append(Violation(f"limits.{field}", f"{value} is not within {least} and {most}"))
        return value

    default, most = bounds.default, bounds.most
    wall = seconds_of(asked.wall, "limits.wall")
    cpu = seconds_of(asked.cpu, "limits.cpu")
    return Limits(
        wall_seconds=choose("wall", wall, default.wall_seconds, most.wall_seconds),
        # A caller that grants more wall clock means CPU time too.
        cpu_seconds=choose("cpu", cpu, max(default.cpu_seconds, wall), most.cpu_seconds),
        memory_bytes=choose(
            "memory_limit_bytes",
            asked.memory_limit_bytes,
            default.memory_bytes,
            most.memory_bytes,
            _LEAST_MEMORY_BYTES,
        ),
        processes=choose(
            "process_limit", asked.process_limit, default.processes, most.processes, 1
        ),
        output_bytes=choose(
            "output_limit_bytes", asked.output_limit_bytes, default.output_bytes, most.output_bytes
        ),
        open_files=choose(
            "open_file_limit",
            asked.open_file_limit,
            default.open_files,
            most.open_files,
            _LEAST_OPEN_FILES,
        ),
        file_bytes=choose(
            "file_size_limit_bytes",
            asked.file_size_limit_bytes,
            default.file_bytes,
            most.file_bytes,
        ),
    )
