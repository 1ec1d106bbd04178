"""Reads what callers ask for, refusing what can never run."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

from batos.sandbox.v1 import sandbox_pb2 as pb

from services.sandbox_executor import strict_json
from services.sandbox_executor.file_path import is_inside, is_pattern_inside
from services.sandbox_executor.job import Call, File, Job, Limits
from services.sandbox_executor.protobuf_limits import Bounds, Faults, read_limits
from shared.errors import InvalidArgument, Violation

_SOURCE_BYTES = 1 << 20
_CALLS = 256
_ARGUMENTS = 64
_FILES = 128
_FILES_BYTES = 4 << 20  # together
_VARIABLES = 64
_PATTERNS = 32


def read_job(request: pb.ExecuteRequest, bounds: Bounds) -> Job:
    """The job that a request asks for. Raises InvalidArgument naming every fault."""
    faults: Faults = []
    _check_source(request.source, faults)
    if len(request.arguments) > _ARGUMENTS:
        faults.append(Violation("arguments", f"more than {_ARGUMENTS}"))
    limits = read_limits(request.limits, bounds, faults)
    job = Job(
        source=request.source,
        calls=_calls(request.calls, faults),
        stdin=request.stdin,
        argv=list(request.arguments),
        limits=limits,
        files=read_files(request.files, limits, faults),
        environment=read_environment(request.environment, faults),
        collect=_patterns(request.collect, faults),
    )
    refuse(faults)
    return job


def read_cell(cell: pb.SessionCell, opened: Job, number: int) -> Job:
    """The job of a session's cell; `opened` holds what holds for all of them.

    Raises InvalidArgument naming every fault.
    """
    faults: Faults = []
    _check_source(cell.source, faults)
    job = Job(
        source=cell.source,
        calls=_calls(cell.calls, faults),
        stdin=cell.stdin,
        argv=(),
        limits=opened.limits,
        files=[
            *(opened.files if number == 1 else ()),
            *read_files(cell.files, opened.limits, faults),
        ],
        environment=opened.environment,
        collect=_patterns(cell.collect, faults),
        cell=number,
    )
    refuse(faults)
    return job


def read_opening(opening: pb.SessionOpen, bounds: Bounds) -> Job:
    """What holds for all cells of a session, as a job without source.

    Raises InvalidArgument naming every fault.
    """
    faults: Faults = []
    limits = read_limits(opening.limits, bounds, faults)
    files = read_files(opening.files, limits, faults)
    environment = read_environment(opening.environment, faults)
    refuse(faults)
    return Job("", (), b"", (), limits, files, environment)


@contextmanager
def within(field: str) -> Iterator[None]:
    """Names of faulty fields inside get this one's before them."""
    try:
        yield
    except InvalidArgument as error:
        refuse([Violation(f"{field}.{v.field}", v.description) for v in error.violations])


def refuse(faults: Faults) -> None:
    """Raises InvalidArgument where there are faults."""
    if faults:
        text = "; ".join(f"{fault.field}: {fault.description}" for fault in faults[:5])
        raise InvalidArgument(text, faults)


def _check_source(source: str, faults: Faults) -> None:
    if not source.strip():
        faults.append(Violation("source", "there is nothing to run"))
    if len(source.encode()) > _SOURCE_BYTES:
        faults.append(Violation("source", f"longer than {_SOURCE_BYTES} bytes"))


def _calls(calls: Sequence[pb.FunctionCall], faults: Faults) -> list[Call]:
    if len(calls) > _CALLS:
        faults.append(Violation("calls", f"more than {_CALLS}"))
    return [_call(number, call, faults) for number, call in enumerate(calls[:_CALLS])]


def read_files(files: Sequence[pb.File], limits: Limits, faults: Faults) -> list[File]:
    """Files to put into a sandbox."""
    if len(files) > _FILES or sum(len(file.content) for file in files) > _FILES_BYTES:
        faults.append(Violation("files", f"more than {_FILES}, or than {_FILES_BYTES} bytes"))
    paths = [file.path for file in files]
    for number, path in enumerate(paths[:_FILES]):
        if not is_inside(path):
            faults.append(Violation(f"files[{number}].path", "not a plain relative path of a file"))
        elif path in paths[:number]:
            faults.append(Violation(f"files[{number}].path", "there twice"))
        if len(files[number].content) > limits.file_bytes:
            faults.append(Violation(f"files[{number}].content", "over the limit of one file"))
    return [File(file.path, file.content) for file in files[:_FILES]]


def read_environment(environment: Mapping[str, str], faults: Faults) -> dict[str, str]:
    """Environment variables."""
    if len(environment) > _VARIABLES:
        faults.append(Violation("environment", f"more than {_VARIABLES}"))
    for name, value in environment.items():
        if not name or "=" in name or "\0" in name or "\0" in value:
            faults.append(Violation("environment", f"{name!r} is no name, or has no usable value"))
    return dict(environment)


def _patterns(patterns: Sequence[str], faults: Faults) -> list[str]:
    if len(patterns) > _PATTERNS:
        faults.append(Violation("collect", f"more than {_PATTERNS}"))
    for number, pattern in enumerate(patterns[:_PATTERNS]):
        if not is_pattern_inside(pattern):
            faults.append(Violation(f"collect[{number}]", "not a relative path or pattern"))
    return list(patterns[:_PATTERNS])


def _call(number: int, call: pb.FunctionCall, faults: Faults) -> Call:
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
