import asyncio
import uuid
from dataclasses import replace

import pytest

from services.memory.records import Level
from services.memory.scope import Scope, Selection
from services.memory.statistics import NamespaceCount
from services.memory.writer import Writer
from shared.errors import Unavailable
from tests.unit.memory.drafts import episode, summary


def _id() -> str:
    return str(uuid.uuid4())


async def _append(writer: Writer, *drafts, request_id: str | None = None):
    return await (await writer.append(request_id or _id(), drafts))


async def test_waiting_batches_share_commits_and_keep_their_order(store, writer: Writer) -> None:
    accepted = [await writer.append(_id(), [episode(f"turn {n}")]) for n in range(40)]
    receipts = await asyncio.gather(*accepted)
    assert writer.commits < 20
    stored = await store.fetch([receipt.ids[0] for receipt in receipts])
    assert [stored[receipt.ids[0]].ordinal for receipt in receipts] == list(range(40))


async def test_equal_content_is_kept_once_across_requests(store, writer: Writer) -> None:
    first = await _append(writer, episode("a"), episode("b", second=1), episode("a"))
    second = await _append(writer, episode("b", second=1), episode("c", second=2))
    assert first.ids[0] == first.ids[2]
    assert second.ids[0] == first.ids[1]
    assert (first.duplicate_count, second.duplicate_count) == (1, 1)
    assert await store.counts() == [NamespaceCount("people", 3, 0)]


async def test_a_retry_without_a_time_doubles_nothing(store, writer: Writer) -> None:
    draft = replace(episode("yes"), created_at=None)
    request_id = _id()
    first = await _append(writer, draft, request_id=request_id)
    retried = await _append(writer, draft, request_id=request_id)
    said_again = await _append(writer, draft)
    assert retried.ids == first.ids
    assert said_again.ids != first.ids
    assert await store.counts() == [NamespaceCount("people", 2, 0)]


async def test_a_retry_gets_what_its_lost_answer_said(store, writer: Writer) -> None:
    yes, no = (replace(episode(text), created_at=None) for text in ("yes", "no"))
    request_id = _id()
    first = await _append(writer, yes, no, yes, request_id=request_id)
    assert await _append(writer, yes, no, yes, request_id=request_id) == first
    assert first.duplicate_count == 1
    assert await store.counts() == [NamespaceCount("people", 2, 0)]


async def test_episodes_after_a_summary_stand_under_it(store, writer: Writer) -> None:
    (summary_id,) = (await _append(writer, summary("s"))).ids
    (episode_id,) = (await _append(writer, episode("later"))).ids
    assert (await store.fetch([episode_id]))[episode_id].parent_id == summary_id


async def test_changes_take_their_turn(store, writer: Writer) -> None:
    before = await writer.append(_id(), [episode("before")])
    forgetting = asyncio.create_task(
        writer.alone(lambda: store.forget(Selection("people", soma="somas/1")))
    )
    await asyncio.sleep(0)
    after = await writer.append(_id(), [episode("parrot")])
    await before
    assert await forgetting == 1
    await after
    scope = Scope("people", (Level.EPISODE,))
    assert len((await store.matching(scope, "parrot", 9)).records) == 1


async def test_a_failed_change_reaches_its_caller_and_the_writer_goes_on(
    store, writer: Writer
) -> None:
    async def fail() -> None:
        raise OSError("no space left on device")

    with pytest.raises(OSError, match="no space"):
        await writer.alone(fail)
    assert (await _append(writer, episode("a"))).duplicate_count == 0


async def test_what_was_accepted_is_finished_and_then_no_more(library) -> None:
    writer = Writer(library)
    writer.start()
    accepted = await writer.append(_id(), [episode("a")])
    await writer.close()
    assert accepted.done()
    with pytest.raises(Unavailable):
        await writer.append(_id(), [episode("b")])
