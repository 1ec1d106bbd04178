"""The contract of memory.proto, over a real socket to a real process."""

import asyncio
import uuid

import grpc
import pytest
from batos.memory.v1 import memory_pb2 as pb
from batos.memory.v1.memory_pb2_grpc import MemoryServiceStub
from google.protobuf.timestamp_pb2 import Timestamp

from shared.channel import open_channel
from shared.errors import InvalidArgument
from shared.rpc_status import from_rpc_error
from tests.integration.memory.memory_process import batch, request_id, send


@pytest.fixture
def namespace() -> str:
    """A namespace that no other test uses."""
    return f"test/{uuid.uuid4()}"


async def refused(call) -> InvalidArgument:
    with pytest.raises(grpc.RpcError) as caught:
        await call
    error = from_rpc_error(caught.value)
    assert isinstance(error, InvalidArgument)
    return error


async def test_what_was_said_is_found_under_its_summary(stub, namespace: str) -> None:
    said = batch(
        ["My dog is called Rex.", "I live in Vienna.", "Work was dull."], namespace=namespace
    )
    (answer,) = await send(stub, said)
    made = await stub.CreateSummary(
        pb.CreateSummaryRequest(
            request_id=request_id(), namespace=namespace, soma="somas/1", text="Pets and towns."
        )
    )
    found = await stub.Search(
        pb.SearchRequest(namespace=namespace, query="What is the dog's name?")
    )
    best = found.hits[0]
    assert best.record.text == "My dog is called Rex."
    assert best.record.id == answer.ids[0]
    assert best.record.parent_id == made.summary.id
    assert best.record.level == pb.LEVEL_EPISODE
    assert best.record.created_at.seconds == 1000
    assert best.score >= found.hits[1].score
    assert 0 <= best.parts.parent <= 1
    level1 = pb.SearchRequest(namespace=namespace, query="pets", level=pb.LEVEL_SUMMARY)
    assert [hit.record.id for hit in (await stub.Search(level1)).hits] == [made.summary.id]


async def test_a_search_is_narrowed_and_ranked_as_it_is_asked(stub, namespace: str) -> None:
    await send(stub, batch(["a red kite", "a red car", "a red tie"], namespace=namespace))
    for mode in pb.SearchMode.values():
        every = pb.SearchRequest(namespace=namespace, query="red kite", mode=mode)
        hits = (await stub.Search(every)).hits
        assert hits[0].record.text == "a red kite", mode
        moments = sorted(hit.record.created_at.ToNanoseconds() for hit in hits)
        later = pb.SearchRequest(namespace=namespace, query="red kite", mode=mode)
        later.created_from.FromNanoseconds(moments[0])
        later.created_before.FromNanoseconds(moments[-1])
        found = {hit.record.created_at.ToNanoseconds() for hit in (await stub.Search(later)).hits}
        assert found == set(moments[:-1]), mode


async def test_batches_are_acknowledged_in_their_order(stub, namespace: str) -> None:
    requests = [batch([f"entry {n}"], namespace=namespace, start=n) for n in range(30)]
    answers = await send(stub, *requests)
    assert [answer.request_id for answer in answers] == [each.request_id for each in requests]


async def test_an_answer_comes_before_the_next_batch_is_sent(stub, namespace: str) -> None:
    call = stub.CreateEpisodes()
    for n in range(3):
        await call.write(batch([f"entry {n}"], namespace=namespace, start=n))
        assert len((await asyncio.wait_for(call.read(), 10)).ids) == 1
    await call.done_writing()
    assert await call.read() == grpc.aio.EOF


async def test_a_repeated_request_gets_the_first_answer(stub, namespace: str) -> None:
    said = batch(["once"], namespace=namespace)
    (first,) = await send(stub, said)
    forgotten = await stub.Forget(
        pb.ForgetRequest(request_id=request_id(), namespace=namespace, soma="somas/1")
    )
    (again,) = await send(stub, said)
    assert forgotten.forgotten_count == 1
    assert again == first
    stats = await stub.GetStats(pb.GetStatsRequest(namespace=namespace))
    assert list(stats.namespaces) == []


async def test_a_retry_that_overtakes_its_first_attempt_gets_the_same_answer(
    stub, namespace: str
) -> None:
    said = batch([f"entry {n}" for n in range(200)], namespace=namespace)
    answers = await asyncio.gather(*(send(stub, said) for _ in range(5)))
    assert all(answer == answers[0] for answer in answers)
    assert answers[0][0].duplicate_count == 0


async def test_a_request_id_with_another_payload_is_refused(stub, namespace: str) -> None:
    said = batch(["once"], namespace=namespace)
    await send(stub, said)
    said.episodes[0].text = "something else"
    assert (await refused(send(stub, said))).reason == "REQUEST_ID_REUSED"


async def test_equal_content_is_kept_once(stub, namespace: str) -> None:
    first, second = await send(
        stub, batch(["a", "b"], namespace=namespace), batch(["a", "new"], namespace=namespace)
    )
    assert second.ids[0] == first.ids[0]
    assert second.duplicate_count == 1
    (stats,) = (await stub.GetStats(pb.GetStatsRequest(namespace=namespace))).namespaces
    assert (stats.episode_count, stats.summary_count) == (3, 0)


async def test_a_faulty_batch_stores_nothing_and_names_its_faults(stub, namespace: str) -> None:
    bad = batch(["fine", "", "also fine"], namespace=namespace)
    error = await refused(send(stub, bad))
    assert [violation.field for violation in error.violations] == ["episodes[1].text"]
    assert not (await stub.GetStats(pb.GetStatsRequest(namespace=namespace))).namespaces


async def test_batches_before_a_faulty_one_are_acknowledged(stub, namespace: str) -> None:
    async def stream():
        yield batch(["fine"], namespace=namespace)
        yield batch([""], namespace=namespace)

    call = stub.CreateEpisodes(stream())
    assert len((await call.read()).ids) == 1
    await refused(call.read())
    (stats,) = (await stub.GetStats(pb.GetStatsRequest(namespace=namespace))).namespaces
    assert stats.episode_count == 1


async def test_a_cancelled_stream_harms_no_other(stub, namespace: str) -> None:
    call = stub.CreateEpisodes()
    for n in range(5):
        await call.write(batch([f"entry {n}"], namespace=namespace, start=n))
    call.cancel()
    await send(stub, batch(["after"], namespace=namespace, start=99))
    found = await stub.Search(pb.SearchRequest(namespace=namespace, query="after"))
    assert found.hits[0].record.text == "after"


@pytest.mark.parametrize("end", ["cancelled", "channel closed"])
async def test_a_bulk_ingest_that_was_cut_off_is_resumed(memory, stub, namespace: str, end) -> None:
    requests = [
        batch([f"part {n} turn {t}" for t in range(50)], namespace=namespace, start=n * 50)
        for n in range(20)
    ]
    acknowledged: list[list[str]] = []
    async with open_channel(memory.address) as channel:
        call = MemoryServiceStub(channel).CreateEpisodes(iter(requests))
        while len(acknowledged) < 7:
            acknowledged.append(list((await call.read()).ids))
        if end == "cancelled":
            call.cancel()
    answers = await send(stub, *requests)
    assert [list(answer.ids) for answer in answers[:7]] == acknowledged
    assert not sum(answer.duplicate_count for answer in answers)
    assert len({row_id for answer in answers for row_id in answer.ids}) == 1000
    (stats,) = (await stub.GetStats(pb.GetStatsRequest(namespace=namespace))).namespaces
    assert stats.episode_count == 1000


async def test_forgotten_is_gone_at_once_and_purged_soon(stub, namespace: str) -> None:
    (answer,) = await send(stub, batch(["secret", "known"], namespace=namespace))
    gone = pb.RecordIds(ids=[answer.ids[0], "never-existed"])

    async def forget() -> pb.ForgetResponse:
        return await stub.Forget(
            pb.ForgetRequest(request_id=request_id(), namespace=namespace, ids=gone)
        )

    first = await forget()
    assert (first.forgotten_count, first.purged) == (1, False)
    found = await stub.Search(pb.SearchRequest(namespace=namespace, query="secret"))
    assert [hit.record.text for hit in found.hits] == ["known"]
    async with asyncio.timeout(20):
        while not (last := await forget()).purged:
            await asyncio.sleep(0.1)
    assert last.forgotten_count == 0


@pytest.mark.parametrize(
    "call",
    [
        lambda stub: stub.Search(pb.SearchRequest(query="x")),
        lambda stub: stub.Search(pb.SearchRequest(namespace="n", query=" ")),
        lambda stub: stub.Search(pb.SearchRequest(namespace="n", query="x", limit=-1)),
        lambda stub: stub.Search(pb.SearchRequest(namespace="n", query="x", level=2)),
        lambda stub: stub.Search(pb.SearchRequest(namespace="n", query="x", mode=9)),
        lambda stub: stub.Search(pb.SearchRequest(namespace="n", query="x", speakers=["s"] * 101)),
        lambda stub: stub.Search(
            pb.SearchRequest(namespace="n", query="x", metadata={str(n): "" for n in range(33)})
        ),
        lambda stub: stub.Search(
            pb.SearchRequest(
                namespace="n",
                query="x",
                created_from=Timestamp(seconds=5),
                created_before=Timestamp(seconds=5),
            )
        ),
        lambda stub: stub.Search(
            pb.SearchRequest(namespace="n", query="x", created_from=Timestamp(nanos=-1))
        ),
        lambda stub: stub.Forget(pb.ForgetRequest(request_id=request_id(), namespace="n")),
        lambda stub: stub.Forget(pb.ForgetRequest(request_id="no uuid", namespace="n", soma="s")),
        lambda stub: stub.CreateSummary(
            pb.CreateSummaryRequest(request_id=request_id(), namespace="n", text="no soma")
        ),
        lambda stub: send(stub, batch(["x"], namespace="")),
        lambda stub: send(stub, batch([])),
        lambda stub: send(stub, batch(["x"], start=10**15)),
    ],
)
async def test_what_can_never_be_right_is_refused(stub, call) -> None:
    assert (await refused(call(stub))).violations


async def test_stats_name_the_embedder(stub) -> None:
    stats = await stub.GetStats(pb.GetStatsRequest())
    assert (stats.embedder, stats.dimension) == ("wordllama-256", 256)
    assert stats.table.disk_bytes > 0
