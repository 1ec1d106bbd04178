"""What is asked of Memory."""

from collections.abc import Sequence

from batos.client import methods
from batos.client.calls import Batches, Call, batches, request_id
from batos.memory.v1 import memory_pb2 as pb

_MOST_EPISODES = 1000
_MOST_BYTES = 4 * 1024 * 1024


def remember(texts: Sequence[str], namespace: str, soma: str, speaker: str) -> Batches[str]:
    """The texts as episodes; the answer is their ids, in order."""
    return Batches(
        methods.CREATE_EPISODES,
        [
            pb.CreateEpisodesRequest(
                request_id=request_id(),
                namespace=namespace,
                episodes=[pb.NewEpisode(soma=soma, speaker=speaker, text=text) for text in batch],
            )
            for batch in batches(texts, _MOST_EPISODES, _MOST_BYTES)
        ],
        lambda response: response.ids,
    )


def recall(query: str, namespace: str, limit: int) -> Call[list[pb.Hit]]:
    """What answers a query, best first."""
    request = pb.SearchRequest(query=query, namespace=namespace, limit=limit)
    return Call(methods.SEARCH, request, lambda response: list(response.hits))


def forget(ids: Sequence[str], namespace: str) -> Call[pb.ForgetResponse]:
    """These records go."""
    request = pb.ForgetRequest(
        request_id=request_id(), namespace=namespace, ids=pb.RecordIds(ids=ids)
    )
    return Call(methods.FORGET, request, lambda response: response)
