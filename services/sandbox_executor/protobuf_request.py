"""Reads an ExecuteRequest, refusing what can never run."""

from dataclasses import dataclass
from typing import Any

from batos.sandbox.v1 import sandbox_pb2 as pb

from services.sandbox_executor import strict_json
from services.sandbox_executor.job import Call, Job, Limits
from shared.durations import seconds_of
from shared.errors import InvalidArgument, Violation

_SOURCE_BYTES = 1 << 20
_CALLS = 256
_ARGUMENTS = 64
_LEAST_MEMORY_BYTES = 32 << 20


@dataclass(frozen=True)
class Bounds:
    """The limits of a run that asks for none, and those that no run may pass."""

    default: Limits
    most: Limits


def read_job(request: pb.ExecuteRequest, bounds: Bounds) -> Job:
    """The job that a request asks for. Raises InvalidArgument naming every fault."""
    faults: list[Violation] = []
    _check_sizes(request, faults)
    job = Job(
        source=request.source,
        calls=[_call(number, call, faults) for number, call in enumerate(request.calls)],
        stdin=request.stdin,
        argv=list(request.arguments),
        limits=_limits(request.limits, bounds, faults),
    )
    if faults:
        text = "; ".join(f"{fault.field}: {fault.description}" for fault in faults[:5])
        raise InvalidArgument(text, faults)
    return job


def _check_sizes(request: pb.ExecuteRequest, faults: list[Violation]) -> None:
    if not request.source.strip():
        faults.append(Violation("source", "there is nothing to run"))
    if len(request.source.encode()) > _SOURCE_BYTES:
        faults.append(Violation("source", f"longer than {_SOURCE_BYTES} bytes"))
    if len(request.calls) > _CALLS:
        faults.append(Violation("calls", f"more than {_CALLS}"))
    if len(request.arguments) > _ARGUMENTS:
        faults.append(Violation("arguments", f"more than {_ARGUMENTS}"))


def _call(number: int, call: pb.FunctionCall, faults: list[Violation]) -> Call:
    field = f"calls[{number}]"
    if not call.function.isidentifier():
        faults.append(Violation(f"{field}.function", "not the name of a function"))
    try:
        arguments = strict_json.parse(call.arguments_json or "{}")
    except ValueError as error:
        faults.append(Violation(f"{field}.arguments_json", f"not JSON: {error}"))
        arguments = {}
    if not isinstance(arguments, dict):
        faults.append(Violation(f"{field}.arguments_json", "not a JSON object"))
        arguments = {}
    return Call(call.function, arguments)


def _limits(asked: pb.Limits, bounds: Bounds, faults: list[Violation]) -> Limits:
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
    )
