"""Writes what came of runs and sessions."""

from typing import Any

from batos.sandbox.v1 import sandbox_pb2 as pb

from services.sandbox_executor.events import Event, Heartbeat
from services.sandbox_executor.job import Ended, Outcome, Raised, Result
from services.sandbox_executor.output import Printed

_OUTCOMES = {
    Outcome.OK: pb.OUTCOME_OK,
    Outcome.FAILED: pb.OUTCOME_FAILED,
    Outcome.TIMED_OUT: pb.OUTCOME_TIMED_OUT,
    Outcome.MEMORY_LIMIT: pb.OUTCOME_MEMORY_LIMIT,
    Outcome.OUTPUT_LIMIT: pb.OUTCOME_OUTPUT_LIMIT,
    Outcome.PROCESS_LIMIT: pb.OUTCOME_PROCESS_LIMIT,
    Outcome.CRASHED: pb.OUTCOME_CRASHED,
}


def event_field(event: Event) -> dict[str, Any]:
    """An event as the one field that it sets in an event of a run, or of a session."""
    match event:
        case Printed():
            return {"output": _output(event)}
        case Heartbeat():
            return {"heartbeat": _heartbeat(event)}
        case Ended():
            return {"done": answer(event)}


def _output(printed: Printed) -> pb.Output:
    if printed.to_stderr:
        return pb.Output(stderr=printed.data)
    return pb.Output(stdout=printed.data)


def _heartbeat(beat: Heartbeat) -> pb.Heartbeat:
    response = pb.Heartbeat()
    response.elapsed.FromNanoseconds(int(beat.elapsed_seconds * 1e9))
    return response


def answer(ended: Ended) -> pb.ExecuteResponse:
    """All that came of a run."""
    response = pb.ExecuteResponse(
        outcome=_OUTCOMES[ended.verdict.outcome],
        results=[_result(result) for result in ended.results],
        exception=_exception(ended.exception) if ended.exception else None,
        stdout=ended.stdout,
        stderr=ended.stderr,
        detail=ended.verdict.detail,
        sandbox_id=ended.sandbox_id,
        peak_memory_bytes=ended.peak_memory_bytes,
        warm=ended.warm,
        files=[
            pb.File(path=file.path, content=file.content)
            for file in sorted(ended.files, key=lambda file: file.path)
        ],
    )
    response.wall.FromNanoseconds(int(ended.wall_seconds * 1e9))
    return response


def _result(result: Result) -> pb.CallResult:
    if result is None:
        return pb.CallResult()
    if isinstance(result, Raised):
        return pb.CallResult(exception=_exception(result))
    return pb.CallResult(value_json=result.value_json)


def _exception(raised: Raised) -> pb.GuestException:
    return pb.GuestException(
        type=raised.type,
        message=raised.message,
        traceback=raised.traceback,
        line=raised.line,
        source_line=raised.source_line,
    )
