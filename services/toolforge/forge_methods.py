"""The methods about forges: requests in, messages out, nothing else."""

import time
from collections.abc import AsyncIterator
from dataclasses import dataclass

from batos.toolforge.v1 import toolforge_pb2 as pb

from services.toolforge import forge_messages as messages
from services.toolforge.forge import Forge, State
from services.toolforge.forge_store import ForgeStore
from services.toolforge.forges import Forges
from services.toolforge.personas import Personas
from services.toolforge.proposal import MAX_TESTS
from services.toolforge.registry import Registry
from services.toolforge.sandbox import Sandbox
from services.toolforge.spec import Spec
from services.toolforge.tool_messages import read_spec_message
from services.toolforge.trajectories import Trajectories
from shared import pages
from shared.errors import InvalidArgument
from shared.ledger import Ledger, record
from shared.naming import new_id, parse

DEFAULT_ATTEMPTS = 4
MAX_ATTEMPTS = 16
MAX_OFFERS = 8


@dataclass(frozen=True)
class ForgeMethods:
    """Forges tools, and hands out what forges teach."""

    forges: Forges
    forge_store: ForgeStore
    registry: Registry
    trajectories: Trajectories
    personas: Personas
    sandbox: Sandbox
    ledger: Ledger
    sample_limit: int

    async def start(self, request: pb.StartForgeRequest) -> pb.StartForgeResponse:
        """Begins a forge; Unavailable at once where the sandbox cannot run anything."""
        async with self.ledger.alone(request):
            kept = await self.ledger.replay(request, pb.StartForgeResponse)
            if kept:
                return pb.StartForgeResponse(forge=await self._forge(kept.forge.name))
            forge = await self._new_forge(request)
            answer = pb.StartForgeResponse(forge=messages.forge_message(forge))
            await self.forges.start(forge, lambda c: record(c, request, answer))
            return answer

    async def get(self, request: pb.GetForgeRequest) -> pb.GetForgeResponse:
        """One forge as it stands."""
        return pb.GetForgeResponse(forge=await self._forge(request.name))

    async def page(self, request: pb.ListForgesRequest) -> pb.ListForgesResponse:
        """Forges, newest first; the token is the id of the last one."""
        size = pages.size_of(request.page_size)
        found = await self.forge_store.page(pages.id_of(request.page_token), size + 1)
        forges, more = pages.fitting([messages.forge_message(forge) for forge in found], size)
        token = parse(forges[-1].name, "forges") if more else ""
        return pb.ListForgesResponse(forges=forges, next_page_token=token)

    async def watch(self, request: pb.WatchForgeRequest) -> AsyncIterator[pb.WatchForgeResponse]:
        """Events of one forge until it has ended."""
        forge_id = parse(request.name, "forges")
        if request.after_sequence < 0:
            raise InvalidArgument.of_field("after_sequence", "must not be negative")
        async for event in self.forges.watch(forge_id, request.after_sequence):
            yield pb.WatchForgeResponse(event=messages.event_message(event))

    async def cancel(self, request: pb.CancelForgeRequest) -> pb.CancelForgeResponse:
        """Stops a forge."""
        forge_id = parse(request.name, "forges")
        async with self.ledger.alone(request):
            if not await self.ledger.replay(request, pb.CancelForgeResponse):
                await self.forge_store.get(forge_id)
                # An ended forge never changes, so its name is answer enough to keep.
                answer = pb.CancelForgeResponse(forge=pb.Forge(name=request.name))
                await self.forges.cancel(forge_id, lambda c: record(c, request, answer))
            return pb.CancelForgeResponse(forge=await self._forge(request.name))

    async def export(
        self, request: pb.ExportTrajectoriesRequest
    ) -> AsyncIterator[pb.ExportTrajectoriesResponse]:
        """Graded training data, oldest first."""
        async for trajectory in self.trajectories.export(request.include_failed):
            message = messages.trajectory_message(trajectory)
            yield pb.ExportTrajectoriesResponse(trajectory=message)

    async def _forge(self, name: str) -> pb.Forge:
        forge = await self.forge_store.get(parse(name, "forges"))
        return messages.forge_message(forge)

    async def _new_forge(self, request: pb.StartForgeRequest) -> Forge:
        _require(request.attempt_limit, "attempt_limit", MAX_ATTEMPTS)
        _require(request.samples_per_attempt, "samples_per_attempt", self.sample_limit)
        _require(request.proposed_test_limit, "proposed_test_limit", MAX_TESTS)
        _require(request.offered_tool_limit, "offered_tool_limit", MAX_OFFERS)
        spec = read_spec_message(request.spec)
        existing = not request.new_version and await self._is_there(spec)
        if not existing:
            await self.sandbox.require()
        persona = await self.personas.get(request.persona)
        return Forge(
            id=new_id(),
            spec=spec,
            persona=persona.name,
            attempt_limit=request.attempt_limit or DEFAULT_ATTEMPTS,
            state=State.SUCCEEDED if existing else State.QUEUED,
            created_at=time.time(),
            tool=spec.name if existing else "",
            samples=request.samples_per_attempt or 1,
            proposed_limit=request.proposed_test_limit,
            offered_limit=request.offered_tool_limit,
            existing=existing,
        )

    async def _is_there(self, spec: Spec) -> bool:
        return await self.registry.of_spec(spec) is not None


def _require(value: int, field: str, most: int) -> None:
    if not 0 <= value <= most:
        raise InvalidArgument.of_field(field, f"must be 0 to {most}")
