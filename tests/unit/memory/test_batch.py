import uuid

from services.memory.batch import Batch, distinct, placed, receipts, rows_of
from services.memory.records import Level
from services.memory.store import Kept, SomaHead
from tests.unit.memory.drafts import episode, summary


def _batch(*drafts):
    return Batch(str(uuid.uuid4()), drafts)


def test_equal_content_in_two_batches_is_stored_once_and_both_get_its_id() -> None:
    batches = [_batch(episode("a"), episode("b")), _batch(episode("b"), episode("c"))]
    rows = rows_of(batches)
    fresh = distinct(rows, Kept())
    first, second = receipts(batches, rows)
    assert [row.draft.text for row in fresh] == ["a", "b", "c"]
    assert second.ids[0] == first.ids[1]
    assert (first.duplicate_count, second.duplicate_count) == (0, 1)


def test_what_is_kept_already_answers_with_its_id() -> None:
    batch = _batch(episode("a"))
    rows = rows_of([batch])
    kept = Kept(hashes={(Level.EPISODE, rows[0].content_hash): "old"})
    assert distinct(rows, kept) == []
    assert receipts([batch], rows)[0].ids == ("old",)


def test_ordinals_go_on_where_the_soma_stands_and_summaries_take_none() -> None:
    rows = rows_of([_batch(episode("a"), summary("s"), episode("b"), episode("c", "somas/2"))])
    records = placed(rows, {("people", "somas/1"): SomaHead(7, "before")})
    assert [record.ordinal for record in records] == [7, 8, 8, 0]
    assert [record.parent_id for record in records] == ["before", "", records[1].id, ""]
