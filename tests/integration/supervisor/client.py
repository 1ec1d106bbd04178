"""A caller of the Supervisor, in short words."""

from __future__ import annotations

import uuid

import grpc
from batos.supervisor.v1 import supervisor_pb2 as pb
from batos.supervisor.v1 import supervisor_pb2_grpc
from google.protobuf.duration_pb2 import Duration

from shared.errors import BatosError
from shared.rpc_status import from_rpc_error


def fresh() -> str:
    return str(uuid.uuid4())


class Client:
    """Errors come as `BatosError`s. Its channel retries nothing, so that tests see each answer."""

    def __init__(self, address: str) -> None:
        self.channel = grpc.aio.insecure_channel(
            address,
            options=[
                ("grpc.enable_retries", 0),
                ("grpc.initial_reconnect_backoff_ms", 100),
                ("grpc.max_reconnect_backoff_ms", 300),
            ],
        )
        self.stub = supervisor_pb2_grpc.SupervisorServiceStub(self.channel)

    async def call(self, method: str, request, timeout: float = 30):
        try:
            return await getattr(self.stub, method)(request, timeout=timeout)
        except grpc.RpcError as error:
            raise from_rpc_error(error) from None

    async def events_of(self, request: pb.ConverseRequest, timeout: float = 30):
        """All events of a turn."""
        try:
            return [event async for event in self.stub.Converse(request, timeout=timeout)]
        except grpc.RpcError as error:
            raise from_rpc_error(error) from None

    async def say(self, text: str, soma: str = "", persona: str = "ROBIN", request_id: str = ""):
        """The `Finished` of a turn, whose deltas have been put together and compared."""
        request = pb.ConverseRequest(
            request_id=request_id or fresh(), soma=soma, persona=persona, text=text
        )
        events = await self.events_of(request)
        kinds = [event.WhichOneof("event") for event in events]
        assert kinds[0] == "recalled"
        assert kinds[-1] == "finished"
        assert set(kinds[1:-1]) <= {"delta", "calling", "called"}
        finished = events[-1].finished
        assert "".join(e.delta for e in events[1:-1]) == finished.turn.assistant_text
        assert [e.called for e in events if e.WhichOneof("event") == "called"] == list(
            finished.turn.tool_calls
        )
        return finished

    async def acquire(self, holder: str = "trainingRuns/a", ttl: float = 30, request_id: str = ""):
        request = pb.AcquireGpuLeaseRequest(
            request_id=request_id or fresh(), holder=holder, ttl=Duration(seconds=int(ttl))
        )
        return (await self.call("AcquireGpuLease", request)).lease

    async def release(self, token: int) -> None:
        await self.call(
            "ReleaseGpuLease", pb.ReleaseGpuLeaseRequest(request_id=fresh(), fencing_token=token)
        )

    async def events(self, count: int, after: int = 0) -> list[pb.Event]:
        """The next events of the journal."""
        watch = self.stub.WatchEvents(pb.WatchEventsRequest(after_sequence=after), timeout=20)
        found: list[pb.Event] = []
        async for response in watch:
            found.append(response.event)
            if len(found) == count:
                watch.cancel()
                return found
        raise AssertionError(f"{len(found)} events came, not {count}")

    async def persona(self, name: str = "") -> pb.GetPersonaResponse:
        return await self.call("GetPersona", pb.GetPersonaRequest(name=name))


async def refused(awaitable) -> BatosError:
    """The error that a call ends with."""
    try:
        answer = await awaitable
    except BatosError as error:
        return error
    raise AssertionError(f"not refused: {answer}")
