"""Memory over gRPC."""

from collections.abc import AsyncIterator, Sequence
from datetime import UTC

import grpc
from batos.memory.v1 import memory_pb2, memory_pb2_grpc
from google.protobuf.timestamp_pb2 import Timestamp

from services.supervisor.memory import Batch, Closing, Episode, Found
from services.supervisor.soma import Recollection
from shared.errors import Unavailable
from shared.rpc_status import from_rpc_error

_REMEMBER_SECONDS = 10.0
_CONSOLIDATE_SECONDS = 30.0
_TURN = "turn"
_CORRECTION = "correction"


class MemoryPeer:
    """A `Memory`."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self._stub: memory_pb2_grpc.MemoryServiceAsyncStub = memory_pb2_grpc.MemoryServiceStub(
            channel
        )

    async def search(
        self, namespace: str, query: str, limit: int, excluded_soma: str, seconds: float
    ) -> Sequence[Found]:
        """Hits of other Somas, best first."""
        request = memory_pb2.SearchRequest(
            namespace=namespace, query=query, limit=limit, excluded_somas=[excluded_soma]
        )
        try:
            response = await self._stub.Search(request, timeout=seconds)
        except grpc.RpcError as error:
            raise from_rpc_error(error) from error
        return [_found(hit) for hit in response.hits]

    async def remember(self, batch: Batch) -> None:
        """Sends one batch and waits for its acknowledgement."""
        try:
            responses = self._stub.CreateEpisodes(_requests(batch), timeout=_REMEMBER_SECONDS)
            async for response in responses:
                if response.request_id == batch.request_id:
                    return
        except grpc.RpcError as error:
            raise from_rpc_error(error) from error
        raise Unavailable("Memory ended the stream without acknowledging the batch")

    async def consolidate(self, closing: Closing) -> None:
        """Has Memory make the summary: no model is asked for it."""
        request = memory_pb2.ConsolidateRequest(
            request_id=closing.request_id, namespace=closing.namespace, soma=closing.soma
        )
        try:
            await self._stub.Consolidate(request, timeout=_CONSOLIDATE_SECONDS)
        except grpc.RpcError as error:
            raise from_rpc_error(error) from error


async def _requests(batch: Batch) -> AsyncIterator[memory_pb2.CreateEpisodesRequest]:
    yield memory_pb2.CreateEpisodesRequest(
        request_id=batch.request_id,
        namespace=batch.namespace,
        episodes=[_new_episode(episode) for episode in batch.episodes],
    )


def _new_episode(episode: Episode) -> memory_pb2.NewEpisode:
    created_at = Timestamp()
    created_at.FromDatetime(episode.created_at)
    metadata = {_TURN: str(episode.turn)}
    if episode.correction:
        metadata[_CORRECTION] = "true"
    return memory_pb2.NewEpisode(
        soma=episode.soma,
        speaker=episode.speaker,
        text=episode.text,
        created_at=created_at,
        metadata=metadata,
    )


def _found(hit: memory_pb2.Hit) -> Found:
    record = hit.record
    recollection = Recollection(
        record_id=record.id,
        speaker=record.speaker,
        text=record.text,
        soma=record.soma,
        created_at=record.created_at.ToDatetime(tzinfo=UTC),
        score=hit.score,
    )
    turn = record.metadata.get(_TURN, "")
    return Found(
        recollection,
        int(turn) if turn.isascii() and turn.isdigit() else 0,
        record.metadata.get(_CORRECTION) == "true",
    )
