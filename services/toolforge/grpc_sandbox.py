"""The sandbox-executor as the port `Sandbox`."""

from collections.abc import Sequence

import grpc
from batos.sandbox.v1 import sandbox_pb2
from batos.sandbox.v1.sandbox_pb2_grpc import SandboxServiceStub

from services.toolforge.finding import Raised
from services.toolforge.peer_errors import read_failure
from services.toolforge.sandbox import Call, Limits, Outcome, Program, Returned, Run
from shared.errors import BatosError, Internal, InvalidArgument, Unavailable, Violation

_OUTCOMES = {
    sandbox_pb2.OUTCOME_OK: Outcome.OK,
    sandbox_pb2.OUTCOME_FAILED: Outcome.FAILED,
    sandbox_pb2.OUTCOME_TIMED_OUT: Outcome.TIMED_OUT,
    sandbox_pb2.OUTCOME_MEMORY_LIMIT: Outcome.MEMORY_LIMIT,
    sandbox_pb2.OUTCOME_OUTPUT_LIMIT: Outcome.OUTPUT_LIMIT,
    sandbox_pb2.OUTCOME_PROCESS_LIMIT: Outcome.PROCESS_LIMIT,
    sandbox_pb2.OUTCOME_CRASHED: Outcome.CRASHED,
}
_AWAY = "SANDBOX_UNAVAILABLE"
_CAPACITY_SECONDS = 5.0


class GrpcSandbox:
    """Runs source through `SandboxService.Execute`."""

    def __init__(self, channel: grpc.aio.Channel, address: str) -> None:
        self._stub = SandboxServiceStub(channel)
        self._peer = f"the sandbox at {address}"

    async def run(self, program: Program, calls: Sequence[Call], limits: Limits) -> Run:
        """Executes the source once, then the calls; trials may be repeated, so it is idempotent."""
        request = sandbox_pb2.ExecuteRequest(
            source=program.source,
            calls=[
                sandbox_pb2.FunctionCall(function=c.function, arguments_json=c.arguments_json)
                for c in calls
            ],
            files=[
                sandbox_pb2.File(path=path, content=text.encode())
                for path, text in program.files.items()
            ],
            idempotent=True,
        )
        request.limits.wall.FromMilliseconds(int(limits.wall_seconds * 1000))
        request.limits.memory_limit_bytes = limits.memory_bytes
        try:
            return _run(await self._stub.Execute(request))
        except grpc.RpcError as error:
            raise _refused(read_failure(error, self._peer, _AWAY)) from error

    async def require(self) -> None:
        """Raises Unavailable, with the sandbox's own sentence, where nothing can be run."""
        request = sandbox_pb2.GetCapacityRequest()
        try:
            capacity = await self._stub.GetCapacity(request, timeout=_CAPACITY_SECONDS)
        except grpc.RpcError as error:
            raise read_failure(error, self._peer, _AWAY) from error
        if capacity.unavailable_reason:
            raise Unavailable(capacity.unavailable_reason, reason=_AWAY)


def _refused(error: BatosError) -> BatosError:
    """A limit that the sandbox refuses, by the name that our own callers gave it."""
    if not isinstance(error, InvalidArgument):
        return error
    faults = [Violation(v.field.removeprefix("limits."), v.description) for v in error.violations]
    return InvalidArgument(error.message.replace("limits.", ""), faults)


def _run(response: sandbox_pb2.ExecuteResponse) -> Run:
    outcome = _OUTCOMES.get(response.outcome)
    if outcome is None:
        raise Internal("the sandbox gave no outcome", reason="SANDBOX_ANSWER_MALFORMED")
    return Run(
        outcome=outcome,
        results=tuple(_result(result) for result in response.results),
        error=_raised(response.exception) if response.HasField("exception") else None,
        detail=response.detail,
        sandbox_id=response.sandbox_id,
        wall_seconds=response.wall.ToTimedelta().total_seconds(),
    )


def _result(result: sandbox_pb2.CallResult) -> Returned | Raised | None:
    match result.WhichOneof("result"):
        case "value_json":
            return Returned(result.value_json)
        case "exception":
            return _raised(result.exception)
        case _:
            return None


def _raised(error: sandbox_pb2.GuestException) -> Raised:
    return Raised(error.type, error.message, error.line, error.source_line)
