import uuid

import pytest

from services.memory.records import Level
from services.memory.search import Query, Searcher
from shared.errors import InvalidArgument
from tests.unit.memory.drafts import episode, summary
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
async def searcher(store, embedder, writer) -> Searcher:
    await (await writer.append(str(uuid.uuid4()), PEOPLE))
    await (await writer.append(str(uuid.uuid4()), [summary("Caroline got a pet.", "somas/2")]))
    return Searcher(store, embedder)


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
