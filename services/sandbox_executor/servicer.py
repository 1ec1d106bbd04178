"""batos.sandbox.v1.SandboxService ⇄ Executor."""

from batos.sandbox.v1 import sandbox_pb2 as pb
from batos.sandbox.v1 import sandbox_pb2_grpc as pb_grpc

from services.sandbox_executor.executor import Executor
from services.sandbox_executor.job import Ended, Outcome, Raised, Result
from services.sandbox_executor.protobuf_request import Bounds, read_job
from shared.interceptors.around import Context

_OUTCOMES = {
    Outcome.OK: pb.OUTCOME_OK,
    Outcome.FAILED: pb.OUTCOME_FAILED,
    Outcome.TIMED_OUT: pb.OUTCOME_TIMED_OUT,
    Outcome.MEMORY_LIMIT: pb.OUTCOME_MEMORY_LIMIT,
    Outcome.OUTPUT_LIMIT: pb.OUTCOME_OUTPUT_LIMIT,
    Outcome.PROCESS_LIMIT: pb.OUTCOME_PROCESS_LIMIT,
    Outcome.CRASHED: pb.OUTCOME_CRASHED,
}


class SandboxServicer(pb_grpc.SandboxServiceServicer):
    """Translates; decides nothing."""

    def __init__(self, executor: Executor, bounds: Bounds) -> None:
        self._executor = executor
        self._bounds = bounds

    async def Execute(self, request: pb.ExecuteRequest, context: Context) -> pb.ExecuteResponse:
        """Runs one source in one fresh sandbox."""
        return _response(await self._executor.execute(read_job(request, self._bounds)))

    async def GetCapacity(
        self, request: pb.GetCapacityRequest, context: Context
    ) -> pb.GetCapacityResponse:
        """What this replica is and how busy it is."""
        capacity = self._executor.capacity()
        return pb.GetCapacityResponse(
            replica_id=capacity.replica_id,
            runtime=capacity.runtime.name,
            runtime_version=capacity.runtime.version,
            isolation=capacity.runtime.isolation,
            ready_count=capacity.ready_count,
            busy_count=capacity.busy_count,
            queued_count=capacity.queued_count,
            unavailable_reason=capacity.unavailable_reason,
        )


def _response(ended: Ended) -> pb.ExecuteResponse:
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
