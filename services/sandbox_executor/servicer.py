"""batos.sandbox.v1.SandboxService ⇄ Executor."""

from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import aclosing
from dataclasses import replace

from batos.sandbox.v1 import sandbox_pb2 as pb
from batos.sandbox.v1 import sandbox_pb2_grpc as pb_grpc

from services.sandbox_executor import protobuf_answer
from services.sandbox_executor import session as kept
from services.sandbox_executor.executor import Executor
from services.sandbox_executor.job import Job
from services.sandbox_executor.protobuf_limits import Bounds
from services.sandbox_executor.protobuf_request import read_cell, read_job, read_opening, within
from services.sandbox_executor.session import SessionBounds
from shared.durations import seconds_of
from shared.errors import InvalidArgument, Violation
from shared.interceptors.around import Context

DEFAULT_PROFILE = "python"


class SandboxServicer(pb_grpc.SandboxServiceServicer):
    """Translates; decides nothing. `bounds` are the limits by profile."""

    def __init__(
        self, executor: Executor, bounds: Mapping[str, Bounds], sessions: SessionBounds
    ) -> None:
        self._executor = executor
        self._bounds = bounds
        self._sessions = sessions

    async def Execute(self, request: pb.ExecuteRequest, context: Context) -> pb.ExecuteResponse:
        """Runs one source in one fresh sandbox."""
        profile = self._profile(request.profile)
        job = read_job(request, self._bounds[profile])
        return protobuf_answer.answer(await self._executor.execute(profile, job))

    async def ExecuteStream(
        self, request: pb.ExecuteStreamRequest, context: Context
    ) -> AsyncIterator[pb.ExecuteStreamResponse]:
        """Execute, with its output as it appears."""
        with within("run"):
            profile = self._profile(request.run.profile)
            job = read_job(request.run, self._bounds[profile])
        async with aclosing(self._executor.stream(profile, job)) as events:
            async for event in events:
                yield pb.ExecuteStreamResponse(**protobuf_answer.event_field(event))

    async def Session(
        self, requests: AsyncIterator[pb.SessionRequest], context: Context
    ) -> AsyncIterator[pb.SessionResponse]:
        """One sandbox, cell after cell."""
        first = await _next(requests)
        if first is None or first.WhichOneof("step") != "open":
            raise _invalid("open", "a session begins with it")
        with within("open"):
            profile = self._profile(first.open.profile)
            opened = read_opening(first.open, self._bounds[profile])
            bounds = self._session_bounds(first.open)
        async with self._executor.session(profile, bounds) as session:
            yield self._opened(session)
            async with aclosing(_cells(session, opened, requests)) as responses:
                async for response in responses:
                    yield response

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
            session_count=capacity.session_count,
            unavailable_reason=capacity.unavailable_reason,
            profiles=list(self._bounds),
        )

    def _profile(self, name: str) -> str:
        profile = name or DEFAULT_PROFILE
        if profile not in self._bounds:
            raise _invalid("profile", f"there is only: {', '.join(self._bounds)}")
        return profile

    def _session_bounds(self, opening: pb.SessionOpen) -> SessionBounds:
        idle, most = seconds_of(opening.idle_ttl, "idle_ttl"), self._sessions.longest_seconds
        if not 0 <= idle <= most:
            raise _invalid("idle_ttl", f"{idle:g} s is not within 0 and {most:g}")
        return replace(self._sessions, idle_seconds=idle or self._sessions.idle_seconds)

    def _opened(self, session: kept.Session) -> pb.SessionResponse:
        opened = pb.SessionOpened(
            sandbox_id=session.sandbox_id, replica_id=self._executor.capacity().replica_id
        )
        opened.remaining.FromNanoseconds(int(session.remaining_seconds * 1e9))
        return pb.SessionResponse(opened=opened)


async def _cells(
    session: kept.Session, opened: Job, requests: AsyncIterator[pb.SessionRequest]
) -> AsyncGenerator[pb.SessionResponse, None]:
    """Runs what comes until the caller or a cell ends the session."""
    while not session.ended:
        request = await session.wait_for(_next(requests))
        if request is None:
            return
        try:
            if request.WhichOneof("step") != "cell":
                raise _invalid("cell", "there is none, and a session is opened only once")
            job = read_cell(request.cell, opened, session.cells + 1)
        except InvalidArgument as error:
            yield pb.SessionResponse(refused=pb.CellRefused(detail=error.message))
            continue
        async with aclosing(session.run(job)) as events:
            async for event in events:
                yield pb.SessionResponse(**protobuf_answer.event_field(event))


async def _next(requests: AsyncIterator[pb.SessionRequest]) -> pb.SessionRequest | None:
    return await anext(requests, None)


def _invalid(field: str, description: str) -> InvalidArgument:
    return InvalidArgument(f"{field}: {description}", [Violation(field, description)])
