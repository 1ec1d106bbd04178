"""`kill -9` of Memory inside each of its mutations."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from batos.memory.v1 import memory_pb2 as pb
from batos.memory.v1.memory_pb2_grpc import MemoryServiceStub
from google.protobuf.field_mask_pb2 import FieldMask

from tests.chaos.kill.load import Load, killed_under_load
from tests.chaos.kill.victim import Victim, killed_everywhere, victim
from tests.integration.memory.memory_process import batch, request_id

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]

NAMESPACE = "people"


@pytest.fixture
async def memory(tmp_path: Path) -> AsyncIterator[Victim]:
    # Purges would add points of their own while a test counts.
    async with victim("memory", tmp_path, BATOS_MEMORY_UPKEEP_SECONDS="3600") as service:
        yield service


@pytest.fixture
def stub(memory: Victim) -> MemoryServiceStub:
    return MemoryServiceStub(memory.channel)


async def ingest(stub, request: pb.CreateEpisodesRequest) -> pb.CreateEpisodesResponse:
    async for answer in stub.CreateEpisodes(iter([request]), timeout=30):
        return answer
    raise AssertionError("the stream ended without an acknowledgement")


async def counts(stub, namespace: str) -> tuple[int, int]:
    stats = await stub.GetStats(pb.GetStatsRequest(namespace=namespace))
    return sum(n.episode_count for n in stats.namespaces), sum(
        n.summary_count for n in stats.namespaces
    )


async def test_episodes(memory, stub):
    async def make():
        ident = request_id()
        request = batch([f"{ident} {n}" for n in range(3)], namespace=ident)
        for _ in range(2):  # twice the same, at no given time: it is kept once
            request.episodes.add(soma="somas/1", speaker="user", text="Yes.")
        return request

    async def check(request, answer):
        assert await counts(stub, request.namespace) == (4, 0)
        assert len(set(answer.ids)) == 4
        assert answer.duplicate_count == 1

    await killed_everywhere(
        memory, "CreateEpisodes", make, lambda r: ingest(stub, r), check, points=4
    )


async def test_a_summary(memory, stub):
    async def make():
        ident = request_id()
        await ingest(stub, batch(["One.", "Two."], namespace=ident, soma="somas/1"))
        return pb.CreateSummaryRequest(
            request_id=ident, namespace=ident, soma="somas/1", text="About it all."
        )

    async def check(request, answer):
        assert await counts(stub, request.namespace) == (2, 1)
        search = pb.SearchRequest(namespace=request.namespace, query="One Two")
        hits = (await stub.Search(search)).hits
        assert {hit.record.parent_id for hit in hits} == {answer.summary.id}

    await killed_everywhere(memory, "CreateSummary", make, stub.CreateSummary, check, points=6)


async def test_forgetting(memory, stub):
    async def make():
        ident = request_id()
        await ingest(stub, batch(["Keep me."], namespace=ident, soma="somas/kept"))
        await ingest(stub, batch(["One.", "Two."], namespace=ident, soma="somas/gone"))
        return pb.ForgetRequest(request_id=ident, namespace=ident, soma="somas/gone")

    async def check(request, answer):
        assert await counts(stub, request.namespace) == (1, 0)
        assert (answer.forgotten_count, answer.purged) == (2, False)

    await killed_everywhere(memory, "Forget", make, stub.Forget, check, points=6)


async def test_forgetting_a_summary(memory, stub):
    async def make():
        ident = request_id()
        await ingest(stub, batch(["One.", "Two."], namespace=ident, soma="somas/1"))
        summary = pb.CreateSummaryRequest(
            request_id=request_id(), namespace=ident, soma="somas/1", text="About it all."
        )
        gone = (await stub.CreateSummary(summary)).summary.id
        return pb.ForgetRequest(request_id=ident, namespace=ident, ids=pb.RecordIds(ids=[gone]))

    async def check(request, answer):
        assert await counts(stub, request.namespace) == (2, 0)
        assert answer.forgotten_count == 1
        search = pb.SearchRequest(namespace=request.namespace, query="One Two")
        hits = (await stub.Search(search)).hits
        assert {hit.record.parent_id for hit in hits} == {""}

    await killed_everywhere(memory, "Forget", make, stub.Forget, check, points=8)


async def test_a_change(memory, stub):
    async def make():
        ident = request_id()
        (row_id, _) = (await ingest(stub, batch(["One.", "Two."], namespace=ident))).ids
        return pb.UpdateRequest(
            request_id=ident,
            namespace=ident,
            id=row_id,
            text="Changed.",
            update_mask=FieldMask(paths=["text"]),
        )

    async def check(request, answer):
        assert answer.record.text == "Changed."
        page = await stub.List(pb.ListRequest(namespace=request.namespace))
        assert [record.text for record in page.records] == ["Changed.", "Two."]
        assert page.records[0] == answer.record

    await killed_everywhere(memory, "Update", make, stub.Update, check, points=4)


async def test_a_consolidation(memory, stub):
    said = "My dog Rex sleeps under the kitchen table."

    async def make():
        ident = request_id()
        await ingest(stub, batch([said, "Yes.", said], namespace=ident))
        before = pb.ConsolidateRequest(
            request_id=request_id(), namespace=ident, soma="somas/1", text="About Rex."
        )
        assert (await stub.Consolidate(before)).merged_count == 1
        await ingest(stub, batch([said.upper()], namespace=ident, start=5000))
        return pb.ConsolidateRequest(request_id=ident, namespace=ident, soma="somas/1")

    async def check(request, answer):
        assert await counts(stub, request.namespace) == (2, 1)
        assert (answer.merged_count, answer.replaced_count) == (1, 1)
        episodes = pb.RecordFilter(level=pb.LEVEL_EPISODE)
        page = await stub.List(pb.ListRequest(namespace=request.namespace, filter=episodes))
        first, second = page.records
        assert (first.text, second.text) == (said, "Yes.")
        assert {first.parent_id, second.parent_id} == {answer.summary.id}
        assert first.metadata["repeated"] == "3"

    await killed_everywhere(memory, "Consolidate", make, stub.Consolidate, check, points=10)


async def test_under_load(memory, stub):
    namespaces: list[str] = []

    async def caller(load: Load) -> None:
        namespace = request_id()
        for number in range(4):
            soma = f"somas/{number}"
            await load.ask(
                lambda r: ingest(stub, r), batch(["One.", "Two."], namespace=namespace, soma=soma)
            )
            summary = pb.CreateSummaryRequest(
                request_id=request_id(), namespace=namespace, soma=soma, text=f"All of {number}."
            )
            await load.ask(stub.CreateSummary, summary)
            forget = pb.ForgetRequest(request_id=request_id(), namespace=namespace, soma=soma)
            if number % 2:
                assert (await load.ask(stub.Forget, forget)).forgotten_count == 3
        namespaces.append(namespace)

    await killed_under_load(memory, [caller] * 4, total=40, seed=1)
    assert [await counts(stub, namespace) for namespace in namespaces] == [(4, 2)] * 4
