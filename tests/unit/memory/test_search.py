import asyncio
import uuid
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from services.memory import lexicon, small_namespaces
from services.memory.filters import Filters
from services.memory.query import Mode, Preferences, Query
from services.memory.records import Level
from services.memory.scope import Selection
from services.memory.search import Searcher
from shared.errors import InvalidArgument
from tests.unit.memory.drafts import START, episode, summary
from tests.unit.memory.store_conformance import HOSTILE

PEOPLE = [
    episode("Caroline, guess what happened to me today!", second=0, speaker="Melanie"),
    episode("Tell me!", second=1, speaker="Caroline"),
    episode("I signed up for a pottery class on Saturday.", second=2, speaker="Melanie"),
    episode("I adopted a grey cat from the shelter.", "somas/2", second=3, speaker="Caroline"),
    episode("The trains were late again this morning.", "somas/2", second=4, speaker="Melanie"),
    episode("We drove to Norway to see the fjords.", "somas/3", second=5, speaker="Caroline"),
]


@pytest.fixture
async def searcher(store, embedder, writer) -> AsyncIterator[Searcher]:
    await (await writer.append(str(uuid.uuid4()), PEOPLE))
    await (await writer.append(str(uuid.uuid4()), [summary("Caroline got a pet.", "somas/2")]))
    searcher = Searcher(store, embedder)
    yield searcher
    await searcher.close()


@pytest.mark.parametrize(
    ("query", "answer"),
    [
        ("What class did Melanie sign up for?", "pottery"),
        ("Which animal did Caroline adopt?", "cat"),
        ("What did Caroline see in Norway?", "fjords"),
    ],
)
async def test_the_answer_comes_first(searcher: Searcher, query: str, answer: str) -> None:
    hits = await searcher.search(Query("people", query))
    assert answer in hits[0].record.text
    assert [hit.score for hit in hits] == sorted((hit.score for hit in hits), reverse=True)


async def test_a_called_name_is_not_a_topic(searcher: Searcher) -> None:
    hits = await searcher.search(Query("people", "What pet does Caroline have?"))
    assert "guess what" not in hits[0].record.text


async def test_levels_and_somas_are_kept_apart(searcher: Searcher) -> None:
    (hit,) = await searcher.search(Query("people", "pet", level=Level.SUMMARY))
    assert hit.record.text == "Caroline got a pet."
    hits = await searcher.search(Query("people", "cat", somas=("somas/1",)))
    assert {hit.record.soma for hit in hits} == {"somas/1"}
    hits = await searcher.search(Query("people", "cat", excluded_somas=("somas/2",)))
    assert "somas/2" not in {hit.record.soma for hit in hits}


async def test_the_limit_holds(searcher: Searcher) -> None:
    assert len(await searcher.search(Query("people", "cat", limit=2))) == 2
    assert len(await searcher.search(Query("people", "cat", limit=10_000))) == len(PEOPLE)
    with pytest.raises(InvalidArgument):
        await searcher.search(Query("people", "cat", limit=-1))


@pytest.mark.parametrize("query", ["", "  \n\t"])
async def test_an_empty_query_is_refused(searcher: Searcher, query: str) -> None:
    with pytest.raises(InvalidArgument, match="query"):
        await searcher.search(Query("people", query))


@pytest.mark.parametrize(
    "query", [*HOSTILE, "?!.", "\x00", "cat " * 25_000, "a" * 100_000, "é" * 9000]
)
async def test_hostile_queries_are_answered(searcher: Searcher, query: str) -> None:
    hits = await searcher.search(Query("people", query))
    assert len(hits) == len(PEOPLE)


async def test_an_unknown_namespace_is_empty(searcher: Searcher) -> None:
    assert await searcher.search(Query("nobody", "cat")) == []


@pytest.fixture(params=["whole", "candidates"])
def path(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Namespaces that are judged whole, and ones that are too large for it."""
    if request.param == "candidates":
        monkeypatch.setattr(small_namespaces, "_ROWS", 0)
    return request.param


async def test_what_changes_is_seen_at_once(searcher: Searcher, store, writer, path: str) -> None:
    query = Query("people", "Which animal did Caroline adopt?")
    (first, *_) = await searcher.search(query)
    assert "cat" in first.record.text
    later = episode("And a parrot, from the shelter too!", "somas/2", second=9, speaker="Caroline")
    await (await writer.append(str(uuid.uuid4()), [later]))
    assert "parrot" in " ".join(hit.record.text for hit in await searcher.search(query))
    await store.forget(Selection("people", ids=(first.record.id,)))
    assert first.record.id not in {hit.record.id for hit in await searcher.search(query)}
    await store.forget(Selection("people", soma="somas/2"))
    assert {hit.record.soma for hit in await searcher.search(query)} == {"somas/1", "somas/3"}


async def test_a_turn_is_found_by_what_was_said_before_it(
    searcher: Searcher, writer, path: str
) -> None:
    talk = [
        episode("Where did you leave the bicycle?", "somas/9", second=20, speaker="Caroline"),
        episode("Behind the old mill.", "somas/9", second=21, speaker="Melanie"),
    ]
    await (await writer.append(str(uuid.uuid4()), talk))
    hits = await searcher.search(Query("people", "Where did Melanie leave her bicycle?", limit=2))
    assert "mill" in " ".join(hit.record.text for hit in hits)


@pytest.mark.parametrize("mode", list(Mode))
async def test_every_mode_finds_the_plain_match_and_keeps_the_scope(
    searcher: Searcher, mode: Mode, path: str
) -> None:
    query = Query("people", "pottery class on Saturday", somas=("somas/1",), mode=mode)
    hits = await searcher.search(query)
    assert "pottery" in hits[0].record.text
    assert {hit.record.soma for hit in hits} == {"somas/1"}
    none = Query("people", "pottery", excluded_somas=("somas/1", "somas/2", "somas/3"), mode=mode)
    assert await searcher.search(none) == []


async def test_both_paths_agree_where_all_rows_are_candidates(
    store, embedder, writer, monkeypatch: pytest.MonkeyPatch
) -> None:
    await (await writer.append(str(uuid.uuid4()), PEOPLE))
    found = []
    for rows in (0, 100):
        monkeypatch.setattr(small_namespaces, "_ROWS", rows)
        searcher = Searcher(store, embedder)
        hits = await searcher.search(Query("people", "What did Caroline see in Norway?"))
        found.append([(hit.record.id, round(hit.score, 6)) for hit in hits])
        await searcher.close()
    assert sorted(found[0]) == sorted(found[1])


async def test_a_larger_namespace_is_judged_whole_once_it_is_read(
    store, embedder, writer, monkeypatch: pytest.MonkeyPatch
) -> None:
    await (await writer.append(str(uuid.uuid4()), PEOPLE))
    monkeypatch.setattr(small_namespaces, "_AT_ONCE", 2)
    searcher = Searcher(store, embedder)
    query = Query("people", "What did Caroline see in Norway?")
    first = [hit.record.id for hit in await searcher.search(query)]
    async with asyncio.timeout(10):
        while not (small := searcher._known().small)._kept:
            await asyncio.sleep(0.01)
    whole = small._kept["people"]
    assert [hit.record.id for hit in await searcher.search(query)] == first
    more = episode("The fjords of Norway were deep.", "somas/3", second=6, speaker="Caroline")
    await (await writer.append(str(uuid.uuid4()), [more]))
    hits = await searcher.search(query)
    assert more.text in [hit.record.text for hit in hits[:2]]
    assert small._kept["people"] is whole, "it has grown, and was not read anew"
    await searcher.close()


async def test_reading_a_larger_namespace_is_given_up_on_closing(
    store, embedder, writer, monkeypatch: pytest.MonkeyPatch
) -> None:
    await (await writer.append(str(uuid.uuid4()), PEOPLE))
    monkeypatch.setattr(small_namespaces, "_AT_ONCE", 2)
    searcher = Searcher(store, embedder)
    await searcher.search(Query("people", "Norway"))
    small = searcher._known().small
    await searcher.close()
    async with asyncio.timeout(5):
        while small._reading:
            await asyncio.sleep(0.01)


async def test_a_full_lexicon_is_begun_anew(
    searcher: Searcher, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lexicon, "_WORDS", 60)
    query = Query("people", "Which animal did Caroline adopt?")
    before = await searcher.search(query)
    for place in range(20):
        await searcher.search(Query("people", " ".join(f"w{place}x{word}" for word in range(9))))
    after = await searcher.search(query)
    assert [(hit.record.id, hit.score) for hit in after] == [
        (hit.record.id, hit.score) for hit in before
    ]


@pytest.mark.parametrize("mode", list(Mode))
@pytest.mark.parametrize(
    ("filters", "seconds"),
    [
        (Filters(begin=START + timedelta(seconds=4)), {4, 5}),
        (Filters(end=START + timedelta(seconds=1)), {0}),
        (Filters(speakers=("Caroline",)), {1, 3, 5}),
        (Filters(speakers=("Caroline",), end=START + timedelta(seconds=3)), {1}),
        (Filters(labels={"kind": "none"}), set()),
    ],
    ids=["begin", "end", "speaker", "both", "label"],
)
async def test_filters_admit_no_others(
    searcher: Searcher, path: str, mode: Mode, filters: Filters, seconds: set[int]
) -> None:
    query = Query("people", "guess tell class cat trains fjords", mode=mode, filters=filters)
    hits = await searcher.search(query)
    assert {(hit.record.created_at - START).seconds for hit in hits} == seconds


@pytest.mark.parametrize("mode", list(Mode))
async def test_the_recent_and_the_important_are_preferred_where_asked(
    searcher: Searcher, writer, path: str, mode: Mode
) -> None:
    now = datetime.now(UTC)
    told = [
        replace(episode("The heron stood by the pond."), created_at=now - age, importance=weight)
        for age, weight in (
            (timedelta(days=90), 0.0),
            (timedelta(days=-3000), 0.0),  # a clock that was wrong
            (timedelta(days=60), 1.0),
        )
    ]
    await (await writer.append(str(uuid.uuid4()), told))

    async def first(**preferences) -> datetime:
        wanted = Preferences(**preferences)
        query = Query("people", "heron by the pond", mode=mode, preferences=wanted)
        hit = (await searcher.search(query))[0]
        assert hit.score == pytest.approx(hit.bonus + await relevance(hit.record.id), abs=1e-6)
        return hit.record.created_at

    async def relevance(row_id: str) -> float:
        hits = await searcher.search(Query("people", "heron by the pond", limit=100, mode=mode))
        return next(hit.score for hit in hits if hit.record.id == row_id)

    assert await first(recency=1.0) == told[1].created_at
    assert await first(importance=1.0) == told[2].created_at
    assert await first(importance=1.0, recency=0.1) == told[2].created_at
    (future, *_) = await searcher.search(
        Query("people", "heron", mode=mode, preferences=Preferences(recency=2.0))
    )
    assert future.bonus == 2.0


@pytest.mark.parametrize(
    "preferences",
    [
        Preferences(recency=-0.1),
        Preferences(recency=float("nan")),
        Preferences(importance=11.0),
        Preferences(importance=float("inf")),
        Preferences(half_life=timedelta(0)),
    ],
)
async def test_senseless_preferences_are_refused(
    searcher: Searcher, preferences: Preferences
) -> None:
    with pytest.raises(InvalidArgument, match=r"weight|half_life"):
        await searcher.search(Query("people", "cat", preferences=preferences))
