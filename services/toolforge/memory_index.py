"""Memory as the port `ToolIndex`: one episode per tool in the namespace `tools`."""

import uuid
from collections.abc import Sequence

import grpc
from batos.memory.v1 import memory_pb2
from batos.memory.v1.memory_pb2_grpc import MemoryServiceStub

from services.toolforge.registry import Revision
from services.toolforge.tool import Tool
from shared.errors import Unavailable
from shared.rpc_status import from_rpc_error

NAMESPACE = "tools"

_SECONDS = 10.0
_PUT_SECONDS = 60.0


class MemoryIndex:
    """Implements `ToolIndex`. A tool's episodes carry its resource name as their Soma."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self._stub = MemoryServiceStub(channel)

    async def put(self, revisions: Sequence[Revision]) -> None:
        """Keeps descriptions, in one stream, so that Memory commits them together."""
        try:
            call = self._stub.CreateEpisodes(map(_create, revisions), timeout=_PUT_SECONDS)
            acknowledged = [response async for response in call]
        except grpc.RpcError as error:
            raise from_rpc_error(error) from error
        if len(acknowledged) != len(revisions):
            raise Unavailable("Memory did not acknowledge every tool's description")

    async def drop(self, tool: Tool) -> None:
        """Forgets a tool's description."""
        try:
            await self._stub.Forget(_forget(tool), timeout=_SECONDS)
        except grpc.RpcError as error:
            raise from_rpc_error(error) from error

    async def search(self, query: str, limit: int) -> Sequence[tuple[str, float]]:
        """Names of tools with Memory's scores, best first."""
        request = memory_pb2.SearchRequest(namespace=NAMESPACE, query=query, limit=limit)
        try:
            response = await self._stub.Search(request, timeout=_SECONDS)
        except grpc.RpcError as error:
            raise from_rpc_error(error) from error
        return [(hit.record.soma.removeprefix("tools/"), hit.score) for hit in response.hits]


def _forget(tool: Tool) -> memory_pb2.ForgetRequest:
    return memory_pb2.ForgetRequest(
        request_id=str(uuid.uuid4()), namespace=NAMESPACE, soma=f"tools/{tool.name}"
    )


def _create(revision: Revision) -> memory_pb2.CreateEpisodesRequest:
    tool = revision.tool
    episode = memory_pb2.NewEpisode(
        soma=f"tools/{tool.name}",
        speaker="document",
        text=f"{tool.name.replace('_', ' ')}: {tool.spec.description}",
        metadata={"version": tool.version},
    )
    episode.created_at.FromNanoseconds(int(tool.created_at * 1e9))
    # The same for the same revision: what is sent again is not kept twice.
    key = f"{tool.name}/{revision.number}/{tool.version}/{tool.created_at}"
    request_id = uuid.uuid5(uuid.NAMESPACE_OID, key)
    return memory_pb2.CreateEpisodesRequest(
        request_id=str(request_id), namespace=NAMESPACE, episodes=[episode]
    )
