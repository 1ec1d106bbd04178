"""ToolForge over gRPC."""

import json
from collections.abc import Iterator, Sequence

import grpc
from batos.toolforge.v1 import toolforge_pb2 as pb
from batos.toolforge.v1 import toolforge_pb2_grpc

from services.supervisor.tools import COLLECTION, Offer, Outcome, Ran, Wish
from shared.errors import BatosError, FailedPrecondition, InvalidArgument, NotFound
from shared.rpc_status import from_rpc_error

RESULT_CHARACTERS = 4000
_FLOOR = 0.6  # of the best hit's score: what has less does something else
_QUERY_CHARACTERS = 2000
_REFUSALS = (InvalidArgument, NotFound, FailedPrecondition)


class ToolForgePeer:
    """A `Tools`."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self._stub: toolforge_pb2_grpc.ToolForgeServiceAsyncStub = (
            toolforge_pb2_grpc.ToolForgeServiceStub(channel)
        )

    async def find(self, text: str, limit: int, seconds: float) -> Sequence[Offer]:
        """Searches by meaning; hits far below the best one are left out."""
        query = text[:_QUERY_CHARACTERS].strip()
        if not query:
            return []
        request = pb.SearchToolsRequest(query=query, limit=limit)
        try:
            hits = (await self._stub.SearchTools(request, timeout=seconds)).hits
        except grpc.RpcError as error:
            raise from_rpc_error(error) from error
        best = max((hit.score for hit in hits), default=0.0)
        return [_offer(hit.tool) for hit in hits if hit.score >= best * _FLOOR]

    async def call(self, request_id: str, wish: Wish, seconds: float) -> Ran:
        """Invokes a tool; what it gives or says is cut to 4,000 characters."""
        request = pb.InvokeToolRequest(
            request_id=request_id,
            name=f"{COLLECTION}/{wish.name}",
            arguments_json=json.dumps(dict(wish.arguments), ensure_ascii=False),
        )
        try:
            answer = await self._stub.InvokeTool(request, timeout=seconds)
        except grpc.RpcError as error:
            return _refused(from_rpc_error(error))
        if answer.outcome == pb.INVOCATION_OUTCOME_OK:
            return Ran(Outcome.OK, _cut(answer.value_json))
        return Ran(Outcome.FAILED, _cut(answer.error or "it was stopped"))


def _offer(tool: pb.Tool) -> Offer:
    name = tool.name.removeprefix(f"{COLLECTION}/")
    return Offer(name, tool.spec.description, json.loads(tool.schema_json))


def _refused(error: BatosError) -> Ran:
    if isinstance(error, _REFUSALS):
        return Ran(Outcome.REFUSED, _cut("; ".join(_faults(error))))
    return Ran(Outcome.UNAVAILABLE, "the tool cannot be had now")


def _faults(error: BatosError) -> Iterator[str]:
    yield error.message
    if isinstance(error, InvalidArgument):
        for violation in error.violations:
            yield f"{violation.field}: {violation.description}"


def _cut(text: str) -> str:
    if len(text) <= RESULT_CHARACTERS:
        return text
    return f"{text[:RESULT_CHARACTERS]}… (cut off, {len(text)} characters)"
