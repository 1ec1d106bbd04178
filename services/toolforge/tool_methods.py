"""The methods about tools: requests in, messages out, nothing else."""

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from batos.toolforge.v1 import toolforge_pb2 as pb

from services.toolforge import tool_messages as messages
from services.toolforge.invocation import Invoker
from services.toolforge.lifecycle import Lifecycle, Witness
from services.toolforge.registration import Registration
from services.toolforge.registry import Registry
from services.toolforge.sandbox import Limits
from services.toolforge.tool import Tool
from services.toolforge.tool_search import ToolSearch
from services.toolforge.tool_watch import ToolWatch
from shared import pages
from shared.durations import seconds_of
from shared.errors import InvalidArgument
from shared.ledger import Ledger, record
from shared.naming import parse

M = TypeVar(
    "M",
    pb.RegisterToolResponse,
    pb.RollBackToolResponse,
    pb.RetireToolResponse,
    pb.ReinstateToolResponse,
)

DEFAULT_HITS = 5
MAX_HITS = 50
MAX_QUERY_BYTES = 8192
MAX_REASON_BYTES = 1024


@dataclass(frozen=True)
class ToolMethods:
    """Keeps, finds and runs tools."""

    registry: Registry
    lifecycle: Lifecycle
    registration: Registration
    invoker: Invoker
    search: ToolSearch
    watching: ToolWatch
    ledger: Ledger
    patience: int

    async def register(self, request: pb.RegisterToolRequest) -> pb.RegisterToolResponse:
        """Takes the owner's own code."""

        async def change(keep: Witness) -> Tool:
            return await self.registration.register(messages.read_wanted(request), keep)

        return await self._once(request, pb.RegisterToolResponse, change)

    async def get(self, request: pb.GetToolRequest) -> pb.GetToolResponse:
        """One tool."""
        tool = await self.registry.get(parse(request.name, "tools"), request.version)
        evidence = await self.registry.evidence(tool)
        return pb.GetToolResponse(
            tool=messages.tool_message(tool),
            evidence=[messages.evidence_message(each) for each in evidence],
            usage=messages.usage_message(await self.registry.usage(tool)),
        )

    async def page(self, request: pb.ListToolsRequest) -> pb.ListToolsResponse:
        """Tools by name; the token is the name of the last one."""
        size, after = pages.size_of(request.page_size), pages.id_of(request.page_token)
        found = await self.registry.page(after, size + 1, request.include_retired)
        tools, more = pages.fitting([messages.tool_message(tool) for tool in found], size)
        token = parse(tools[-1].name, "tools") if more else ""
        return pb.ListToolsResponse(tools=tools, next_page_token=token)

    async def versions(self, request: pb.ListToolVersionsRequest) -> pb.ListToolVersionsResponse:
        """Registrations, newest first; the token is the number of the last one."""
        size, before = pages.size_of(request.page_size), pages.number_of(request.page_token)
        found = await self.registry.versions(parse(request.name, "tools"), before, size + 1)
        tools, more = pages.fitting([messages.tool_message(tool) for _, tool in found], size)
        token = str(found[len(tools) - 1][0]) if more else ""
        return pb.ListToolVersionsResponse(versions=tools, next_page_token=token)

    async def find(self, request: pb.SearchToolsRequest) -> pb.SearchToolsResponse:
        """Tools by meaning."""
        if not 0 <= request.limit <= MAX_HITS:
            raise InvalidArgument.of_field("limit", f"must be 0 to {MAX_HITS}")
        if not request.query.strip() or len(request.query.encode()) > MAX_QUERY_BYTES:
            raise InvalidArgument.of_field("query", f"must be 1 to {MAX_QUERY_BYTES} bytes")
        hits = await self.search.search(request.query, request.limit or DEFAULT_HITS)
        return messages.hits_message(hits)

    async def invoke(self, request: pb.InvokeToolRequest) -> pb.InvokeToolResponse:
        """Runs a tool in the sandbox."""

        async def do() -> pb.InvokeToolResponse:
            wall = seconds_of(request.wall_limit, "wall_limit")
            wanted = Limits(wall, request.memory_limit_bytes)
            name = parse(request.name, "tools")
            tool, invocation = await self.invoker.invoke(name, request.arguments_json, wanted)
            answer = messages.invocation_message(invocation, tool)
            await self.lifecycle.note_use(
                tool, invocation.failure, self.patience, lambda c: record(c, request, answer)
            )
            return answer

        return await self.ledger.once(request, pb.InvokeToolResponse, do)

    async def roll_back(self, request: pb.RollBackToolRequest) -> pb.RollBackToolResponse:
        """Makes an earlier version current."""

        async def change(keep: Witness) -> Tool:
            name = parse(request.name, "tools")
            return await self.lifecycle.roll_back(name, request.version, keep)

        return await self._once(request, pb.RollBackToolResponse, change)

    async def retire(self, request: pb.RetireToolRequest) -> pb.RetireToolResponse:
        """Takes a tool out of use."""
        if len(request.reason.encode()) > MAX_REASON_BYTES:
            raise InvalidArgument.of_field("reason", f"is longer than {MAX_REASON_BYTES} bytes")

        async def change(keep: Witness) -> Tool:
            return await self.lifecycle.retire(parse(request.name, "tools"), request.reason, keep)

        return await self._once(request, pb.RetireToolResponse, change)

    async def reinstate(self, request: pb.ReinstateToolRequest) -> pb.ReinstateToolResponse:
        """Puts a tool to its trial again."""

        async def change(keep: Witness) -> Tool:
            return await self.registration.reinstate(parse(request.name, "tools"), keep)

        return await self._once(request, pb.ReinstateToolResponse, change)

    async def watch(self, request: pb.WatchToolsRequest) -> AsyncIterator[pb.WatchToolsResponse]:
        """Events of all tools, without end."""
        if request.after_sequence < 0:
            raise InvalidArgument.of_field("after_sequence", "must not be negative")
        async for event in self.watching.watch(request.after_sequence):
            yield pb.WatchToolsResponse(event=messages.event_message(event))

    async def _once(
        self,
        request: pb.RegisterToolRequest
        | pb.RollBackToolRequest
        | pb.RetireToolRequest
        | pb.ReinstateToolRequest,
        answer_type: type[M],
        change: Callable[[Witness], Awaitable[Tool]],
    ) -> M:
        """A change of one tool; the answer holds the tool as it is after it."""

        async def do() -> M:
            def keep(connection: Any, tool: Tool) -> None:
                record(connection, request, answer_type(tool=messages.tool_message(tool)))

            return answer_type(tool=messages.tool_message(await change(keep)))

        return await self.ledger.once(request, answer_type, do)
