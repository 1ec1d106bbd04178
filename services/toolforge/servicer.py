"""`batos.toolforge.v1` over the domain: requests in, messages out, nothing else."""

import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any, TypeAlias

import grpc
from batos.toolforge.v1 import toolforge_pb2 as pb
from batos.toolforge.v1.toolforge_pb2_grpc import ToolForgeServiceServicer

from services.toolforge import messages
from services.toolforge.forge import Forge, State
from services.toolforge.forge_store import ForgeStore
from services.toolforge.forges import Forges
from services.toolforge.invocation import invoke
from services.toolforge.personas import Personas
from services.toolforge.registration import Registration
from services.toolforge.registry import Registry
from services.toolforge.sandbox import Sandbox
from services.toolforge.tool import Tool
from services.toolforge.tool_search import ToolSearch
from services.toolforge.trajectories import Trajectories
from shared import pages
from shared.errors import InvalidArgument
from shared.ledger import Ledger, record
from shared.naming import new_id, parse

DEFAULT_ATTEMPTS = 4
MAX_ATTEMPTS = 16
DEFAULT_HITS = 5
MAX_HITS = 50
MAX_QUERY_BYTES = 8192

Context: TypeAlias = "grpc.aio.ServicerContext[Any, Any]"


@dataclass(frozen=True)
class ToolForgeServicer(ToolForgeServiceServicer):
    """Forges, keeps and runs tools."""

    forges: Forges
    forge_store: ForgeStore
    registry: Registry
    registration: Registration
    search: ToolSearch
    trajectories: Trajectories
    personas: Personas
    sandbox: Sandbox
    ledger: Ledger
    invoke_seconds: float

    async def StartForge(
        self, request: pb.StartForgeRequest, context: Context
    ) -> pb.StartForgeResponse:
        """Begins a forge; Unavailable at once where the sandbox cannot run anything."""
        async with self.ledger.alone(request):
            kept = await self.ledger.replay(request, pb.StartForgeResponse)
            if kept:
                return pb.StartForgeResponse(forge=await self._forge(kept.forge.name))
            forge = await self._new_forge(request)
            answer = pb.StartForgeResponse(forge=messages.forge_message(forge))
            await self.forges.start(forge, lambda c: record(c, request, answer))
            return answer

    async def GetForge(self, request: pb.GetForgeRequest, context: Context) -> pb.GetForgeResponse:
        """One forge as it stands."""
        return pb.GetForgeResponse(forge=await self._forge(request.name))

    async def ListForges(
        self, request: pb.ListForgesRequest, context: Context
    ) -> pb.ListForgesResponse:
        """Forges, newest first; the token is the id of the last one."""
        size = pages.size_of(request.page_size)
        found = await self.forge_store.page(pages.id_of(request.page_token), size + 1)
        forges, more = pages.fitting([messages.forge_message(forge) for forge in found], size)
        token = parse(forges[-1].name, "forges") if more else ""
        return pb.ListForgesResponse(forges=forges, next_page_token=token)

    async def WatchForge(
        self, request: pb.WatchForgeRequest, context: Context
    ) -> AsyncIterator[pb.WatchForgeResponse]:
        """Events of one forge until it has ended."""
        forge_id = parse(request.name, "forges")
        if request.after_sequence < 0:
            raise InvalidArgument.of_field("after_sequence", "must not be negative")
        async for event in self.forges.watch(forge_id, request.after_sequence):
            yield pb.WatchForgeResponse(event=messages.event_message(event))

    async def CancelForge(
        self, request: pb.CancelForgeRequest, context: Context
    ) -> pb.CancelForgeResponse:
        """Stops a forge."""
        forge_id = parse(request.name, "forges")
        async with self.ledger.alone(request):
            if not await self.ledger.replay(request, pb.CancelForgeResponse):
                await self.forge_store.get(forge_id)
                # An ended forge never changes, so its name is answer enough to keep.
                answer = pb.CancelForgeResponse(forge=pb.Forge(name=request.name))
                await self.forges.cancel(forge_id, lambda c: record(c, request, answer))
            return pb.CancelForgeResponse(forge=await self._forge(request.name))

    async def RegisterTool(
        self, request: pb.RegisterToolRequest, context: Context
    ) -> pb.RegisterToolResponse:
        """Takes the owner's own code."""
        async with self.ledger.alone(request):
            kept = await self.ledger.replay(request, pb.RegisterToolResponse)
            if kept:
                return kept
            spec = messages.read_spec_message(request.spec)

            def keep(connection: Any, tool: Tool) -> None:
                answer = pb.RegisterToolResponse(tool=messages.tool_message(tool))
                record(connection, request, answer)

            tool = await self.registration.register(spec, request.source, keep)
            return pb.RegisterToolResponse(tool=messages.tool_message(tool))

    async def GetTool(self, request: pb.GetToolRequest, context: Context) -> pb.GetToolResponse:
        """One tool."""
        tool = await self.registry.get(parse(request.name, "tools"))
        return pb.GetToolResponse(tool=messages.tool_message(tool))

    async def ListTools(
        self, request: pb.ListToolsRequest, context: Context
    ) -> pb.ListToolsResponse:
        """Tools by name; the token is the name of the last one."""
        size = pages.size_of(request.page_size)
        found = await self.registry.page(pages.id_of(request.page_token), size + 1)
        tools, more = pages.fitting([messages.tool_message(tool) for tool in found], size)
        token = parse(tools[-1].name, "tools") if more else ""
        return pb.ListToolsResponse(tools=tools, next_page_token=token)

    async def SearchTools(
        self, request: pb.SearchToolsRequest, context: Context
    ) -> pb.SearchToolsResponse:
        """Tools by meaning."""
        if not 0 <= request.limit <= MAX_HITS:
            raise InvalidArgument.of_field("limit", f"must be 0 to {MAX_HITS}")
        if not request.query.strip() or len(request.query.encode()) > MAX_QUERY_BYTES:
            raise InvalidArgument.of_field("query", f"must be 1 to {MAX_QUERY_BYTES} bytes")
        hits = await self.search.search(request.query, request.limit or DEFAULT_HITS)
        return messages.hits_message(hits)

    async def InvokeTool(
        self, request: pb.InvokeToolRequest, context: Context
    ) -> pb.InvokeToolResponse:
        """Runs a tool in the sandbox."""
        async with self.ledger.alone(request):
            kept = await self.ledger.replay(request, pb.InvokeToolResponse)
            if kept:
                return kept
            tool = await self.registry.get(parse(request.name, "tools"))
            invocation = await invoke(
                self.sandbox, tool, request.arguments_json, self.invoke_seconds
            )
            answer = messages.invocation_message(invocation, tool)
            await self.ledger.keep(request, answer)
            return answer

    async def ExportTrajectories(
        self, request: pb.ExportTrajectoriesRequest, context: Context
    ) -> AsyncIterator[pb.ExportTrajectoriesResponse]:
        """Graded training data, oldest first."""
        async for trajectory in self.trajectories.export(request.include_failed):
            message = messages.trajectory_message(trajectory)
            yield pb.ExportTrajectoriesResponse(trajectory=message)

    async def _forge(self, name: str) -> pb.Forge:
        forge = await self.forge_store.get(parse(name, "forges"))
        return messages.forge_message(forge)

    async def _new_forge(self, request: pb.StartForgeRequest) -> Forge:
        if not 0 <= request.attempt_limit <= MAX_ATTEMPTS:
            raise InvalidArgument.of_field("attempt_limit", f"must be 0 to {MAX_ATTEMPTS}")
        spec = messages.read_spec_message(request.spec)
        await self.sandbox.require()
        persona = await self.personas.get(request.persona)
        return Forge(
            id=new_id(),
            spec=spec,
            persona=persona.name,
            attempt_limit=request.attempt_limit or DEFAULT_ATTEMPTS,
            state=State.QUEUED,
            created_at=time.time(),
        )
