"""Get, List, Update, Consolidate, Forget by filter and Optimize, over a real socket."""

import uuid

import grpc
import pytest
from batos.memory.v1 import memory_pb2 as pb
from google.protobuf.field_mask_pb2 import FieldMask
from google.protobuf.timestamp_pb2 import Timestamp

from shared.errors import BatosError, InvalidArgument, NotFound
from shared.rpc_status import from_rpc_error
from tests.integration.memory.memory_process import batch, request_id, send

REPEATED = "My dog Rex sleeps under the kitchen table."


@pytest.fixture
def namespace() -> str:
    """A namespace that no other test uses."""
    return f"test/{uuid.uuid4()}"


async def error_of(call) -> BatosError:
    with pytest.raises(grpc.RpcError) as caught:
        await call
    return from_rpc_error(caught.value)


async def listed(stub, namespace: str, size: int = 0, **conditions) -> list[str]:
    """All texts, page by page."""
    texts: list[str] = []
    token = ""
    while True:
        page = await stub.List(
            pb.ListRequest(
                namespace=namespace,
                filter=pb.RecordFilter(**conditions),
                page_size=size,
                page_token=token,
            )
        )
        assert not size or len(page.records) <= size
        texts += [record.text for record in page.records]
        token = page.next_page_token
        if not token:
            return texts


async def test_records_are_listed_in_their_order_page_by_page(stub, namespace: str) -> None:
    late = batch([f"late {n}" for n in range(4)], namespace=namespace, start=-50, soma="somas/2")
    early = batch([f"early {n}" for n in range(7)], namespace=namespace, start=-100)
    await send(stub, late, early)
    told = [f"early {n}" for n in range(7)] + [f"late {n}" for n in range(4)]
    for size in (0, 1, 3, 11):
        assert await listed(stub, namespace, size) == told
    assert await listed(stub, namespace, somas=["somas/2"]) == told[7:]
    assert await listed(stub, namespace, created_before=Timestamp(seconds=-98)) == told[:2]
    assert await listed(stub, namespace, speakers=["nobody"]) == []
    assert await listed(stub, namespace, level=pb.LEVEL_SUMMARY) == []
    assert await listed(stub, "nobody") == []


async def test_records_of_one_moment_are_listed_once_each(stub, namespace: str) -> None:
    said = batch([f"turn {n}" for n in range(9)], namespace=namespace)
    for episode in said.episodes:
        episode.created_at.CopyFrom(Timestamp(seconds=7))
    await send(stub, said)
    assert sorted(await listed(stub, namespace, 2)) == [f"turn {n}" for n in range(9)]


@pytest.mark.parametrize("token", ["x", "1", "9" * 30 + ".a", "é", "1.5.;", "x" * 500])
async def test_a_foreign_page_token_is_refused(stub, namespace: str, token: str) -> None:
    request = pb.ListRequest(namespace=namespace, page_token=token)
    assert isinstance(await error_of(stub.List(request)), InvalidArgument)


async def test_a_changed_text_is_found_by_its_new_words(stub, namespace: str) -> None:
    ((row_id, other),) = [
        answer.ids
        for answer in await send(
            stub, batch(["My dog is called Rex.", "I like tea."], namespace=namespace)
        )
    ]
    request = pb.UpdateRequest(
        request_id=request_id(),
        namespace=namespace,
        id=row_id,
        text="My dog is called Bello.",
        importance=0.5,
        metadata={"checked": "yes"},
        update_mask=FieldMask(paths=["text", "importance", "metadata"]),
    )
    before = (await stub.Get(pb.GetRequest(namespace=namespace, id=row_id))).record
    changed = (await stub.Update(request)).record
    assert (await stub.Update(request)).record == changed
    assert (await stub.Get(pb.GetRequest(namespace=namespace, id=row_id))).record == changed
    assert (changed.text, changed.importance) == ("My dog is called Bello.", 0.5)
    assert changed.content_hash != before.content_hash
    assert (changed.soma, changed.created_at) == (before.soma, before.created_at)
    for mode in pb.SearchMode.values():
        query = pb.SearchRequest(namespace=namespace, query="Bello the dog", mode=mode)
        assert (await stub.Search(query)).hits[0].record == changed
    assert (await stub.Get(pb.GetRequest(namespace=namespace, id=other))).record.importance == 0
    only = pb.UpdateRequest(
        request_id=request_id(),
        namespace=namespace,
        id=row_id,
        importance=0.25,
        update_mask=FieldMask(paths=["importance"]),
    )
    assert (await stub.Update(only)).record.text == "My dog is called Bello."


async def test_a_senseless_change_is_refused_and_changes_nothing(stub, namespace: str) -> None:
    (answer,) = await send(stub, batch(["I like tea."], namespace=namespace))
    known = {"namespace": namespace, "id": answer.ids[0]}

    def change(*paths: str, **values) -> pb.UpdateRequest:
        mask = FieldMask(paths=paths)
        return pb.UpdateRequest(
            **{**known, "request_id": request_id(), "update_mask": mask, **values}
        )

    for refused in (
        change(text="x"),
        change("soma"),
        change("text", text="  "),
        change("text", text="x" * 40_000),
        change("importance", importance=1.5),
        change("importance", importance=float("nan")),
        change("metadata", metadata={str(n): "" for n in range(40)}),
        change("text", text="x", request_id="7"),
        change("text", text="x", namespace=""),
    ):
        assert isinstance(await error_of(stub.Update(refused)), InvalidArgument), refused
    for absent in ({"id": "nobody"}, {"namespace": "elsewhere"}):
        assert isinstance(await error_of(stub.Update(change("text", text="x", **absent))), NotFound)
        assert isinstance(await error_of(stub.Get(pb.GetRequest(**(known | absent)))), NotFound)
    assert await listed(stub, namespace) == ["I like tea."]


async def test_a_soma_is_summed_up_and_repetitions_are_merged(stub, namespace: str) -> None:
    told = [REPEATED, "Yes.", "On Friday we drove to the sea with Rex.", "Yes.", REPEATED.upper()]
    (answer,) = await send(stub, batch(told, namespace=namespace))
    request = pb.ConsolidateRequest(request_id=request_id(), namespace=namespace, soma="somas/1")
    done = await stub.Consolidate(request)
    assert await stub.Consolidate(request) == done
    assert (done.merged_count, done.replaced_count) == (1, 0)
    assert REPEATED in done.summary.text
    assert done.summary.text.startswith("1 January 1970, user.")
    assert await listed(stub, namespace, level=pb.LEVEL_EPISODE) == told[:4]
    kept = (await stub.Get(pb.GetRequest(namespace=namespace, id=answer.ids[0]))).record
    assert kept.metadata == {"repeated": "2", "last_said_at": "1970-01-01T00:16:44+00:00"}
    assert kept.parent_id == done.summary.id
    found = await stub.Search(pb.SearchRequest(namespace=namespace, query="Where does Rex sleep?"))
    assert found.hits[0].record == kept


async def test_a_later_consolidation_replaces_the_earlier_one(stub, namespace: str) -> None:
    await send(stub, batch(["We planted tomatoes in the garden."], namespace=namespace))
    mine = await stub.CreateSummary(
        pb.CreateSummaryRequest(
            request_id=request_id(), namespace=namespace, soma="somas/1", text="Gardening."
        )
    )

    def again(**values) -> pb.ConsolidateRequest:
        return pb.ConsolidateRequest(
            **{"request_id": request_id(), "namespace": namespace, "soma": "somas/1", **values}
        )

    first = await stub.Consolidate(again())
    same = await stub.Consolidate(again())
    assert (same.summary.id, same.replaced_count) == (first.summary.id, 0)
    await send(stub, batch(["The tomatoes died in the frost."], namespace=namespace, start=90_000))
    written = await stub.Consolidate(again(text="Tomatoes were planted, and died."))
    assert written.summary.text == "Tomatoes were planted, and died."
    assert written.replaced_count == 1
    kept = await listed(stub, namespace, level=pb.LEVEL_SUMMARY)
    assert sorted(kept) == ["Gardening.", "Tomatoes were planted, and died."]
    assert mine.summary.id
    assert isinstance(await error_of(stub.Consolidate(again(soma="somas/9"))), NotFound)
    for wrong in ({"soma": ""}, {"text": "x" * 40_000}, {"text": " "}, {"request_id": ""}):
        assert isinstance(await error_of(stub.Consolidate(again(**wrong))), InvalidArgument), wrong


async def test_forgetting_by_filter_takes_what_it_admits(stub, namespace: str) -> None:
    other = f"{namespace}/other"
    await send(
        stub,
        batch([f"turn {n}" for n in range(6)], namespace=namespace),
        batch(["far"], namespace=other),
        batch(["elsewhere"], namespace=namespace, soma="somas/2", start=5000),
    )

    async def forget(**selector) -> int:
        request = pb.ForgetRequest(request_id=request_id(), namespace=namespace, **selector)
        return (await stub.Forget(request)).forgotten_count

    late = pb.RecordFilter(created_from=Timestamp(seconds=1004), somas=["somas/1"])
    assert await forget(filter=late) == 2
    assert await forget(filter=late) == 0
    assert await listed(stub, namespace) == ["turn 0", "turn 1", "turn 2", "turn 3", "elsewhere"]
    for empty in ({"filter": pb.RecordFilter()}, {"whole_namespace": False}, {}):
        refused = pb.ForgetRequest(request_id=request_id(), namespace=namespace, **empty)
        assert isinstance(await error_of(stub.Forget(refused)), InvalidArgument)
    assert await forget(whole_namespace=True) == 5
    assert await listed(stub, namespace) == []
    assert await listed(stub, other) == ["far"]


async def test_optimizing_purges_at_once_and_tells_of_the_table(stub, namespace: str) -> None:
    (answer,) = await send(stub, batch(["a secret", "no secret"], namespace=namespace))
    request = pb.ForgetRequest(
        request_id=request_id(), namespace=namespace, ids=pb.RecordIds(ids=answer.ids[:1])
    )
    await stub.Forget(request)
    table = (await stub.Optimize(pb.OptimizeRequest())).table
    assert table.unindexed_row_count == 0
    assert table.row_count >= 1
    assert table.fragment_count >= 1
    assert {"words": "FTS", "id": "BTREE", "namespace": "BITMAP"}.items() <= {
        index.column: index.kind for index in table.indexes
    }.items()
    assert table.disk_bytes > sum(index.disk_bytes for index in table.indexes) > 0
    again = pb.ForgetRequest(
        request_id=request_id(), namespace=namespace, ids=pb.RecordIds(ids=answer.ids[:1])
    )
    assert (await stub.Forget(again)).purged
