"""What every Store must do. Subclass it per adapter, with a fixture `store` that is empty."""

import asyncio
from dataclasses import replace

import numpy as np
import pytest

from services.memory.filters import Filters
from services.memory.records import Level
from services.memory.scope import Conditions, Scope, Selection
from services.memory.statistics import NamespaceCount
from services.memory.store import SomaHead, Store
from tests.unit.memory.drafts import episode, records, summary

HOSTILE = [
    "it's",
    "x' OR '1'='1",
    "'; DROP TABLE records; --",
    '"quoted" \\ back\\slash',
    "100%_like",
    "new\nline\ttab",
    "nul\x00byte",
    "日本語とคำไทยと😀",
    "{json: [1]} (paren) * + - ~ ^2 AND NOT field:value",
]

ALL = (Level.SUMMARY, Level.EPISODE)


def unit(store: Store, *seeds: int) -> np.ndarray:
    """One unit vector per seed; equal seeds, equal vectors."""
    raw = np.stack([
        np.random.default_rng(seed).normal(size=store.identity.dimension) for seed in seeds
    ]).astype(np.float32)  # fmt: skip
    return raw / np.linalg.norm(raw, axis=1, keepdims=True)


async def add(store: Store, *drafts):
    rows = records(*drafts)
    await store.append(rows, unit(store, *range(len(rows))))
    return rows


class StoreConformance:
    async def test_records_come_back_as_they_went_in(self, store: Store) -> None:
        rows = await add(store, episode("one"), summary("sum"), episode("three", speaker="ROBIN"))
        assert await store.fetch([row.id for row in rows]) == {row.id: row for row in rows}
        assert await store.fetch(["nobody"]) == {}
        assert await store.fetch([]) == {}

    async def test_hostile_values_are_data(self, store: Store) -> None:
        drafts = [
            episode(text, soma=text, namespace=text, speaker=text, second=place)
            for place, text in enumerate(HOSTILE)
        ]
        rows = await add(store, *drafts)
        for place, (text, row) in enumerate(zip(HOSTILE, rows, strict=True)):
            assert (await store.fetch([row.id]))[row.id] == row
            scope = Scope(text, ALL, somas=(text,))
            found = await store.candidates(scope, unit(store, place)[0], text, 10)
            assert list(found.ids) == [row.id]
            assert await store.heads(text, [text]) == {text: SomaHead(1, "")}
            assert await store.members(Selection(text, soma=text)) == [(row.id, text)]
            assert await store.speakers(text) == {text}
        for text in HOSTILE:
            assert await store.forget(Selection(text, soma=text)) == 1
        assert await store.counts() == []

    async def test_the_nearest_and_the_matching_come_together(self, store: Store) -> None:
        texts = ["a parrot", "a train", "two parrots sing", "nothing at all"]
        rows = await add(store, *(episode(text, second=n) for n, text in enumerate(texts)))
        near = unit(store, 1)[0]  # the vector of the train
        found = await store.candidates(Scope("people", ALL), near, "parrot", 2)
        by_id = dict(zip(found.ids, range(len(found.ids)), strict=True))
        assert {rows[0].id, rows[1].id, rows[2].id} <= set(by_id)
        assert found.similarities[by_id[rows[1].id]] == pytest.approx(1.0, abs=1e-5)
        assert found.text_scores[by_id[rows[1].id]] == 0
        assert found.text_scores[by_id[rows[2].id]] > 0
        expected = float(unit(store, 0)[0] @ near)
        assert found.similarities[by_id[rows[0].id]] == pytest.approx(expected, abs=1e-5)

    async def test_a_search_stays_in_its_scope(self, store: Store) -> None:
        rows = await add(
            store,
            episode("apple pie", "somas/1"),
            episode("apple tart", "somas/2"),
            summary("about apples", "somas/1"),
            episode("apple jam", "somas/1", namespace="other"),
        )
        near = unit(store, 0)[0]

        async def ids(scope: Scope) -> set[str]:
            return set((await store.candidates(scope, near, "apple", 10)).ids)

        assert await ids(Scope("people", ALL)) == {row.id for row in rows[:3]}
        assert await ids(Scope("people", (Level.EPISODE,))) == {rows[0].id, rows[1].id}
        assert await ids(Scope("people", (Level.SUMMARY,))) == {rows[2].id}
        assert await ids(Scope("people", ALL, somas=("somas/2",))) == {rows[1].id}
        assert await ids(Scope("people", ALL, excluded_somas=("somas/1",))) == {rows[1].id}
        assert await ids(Scope("nobody", ALL)) == set()

    async def test_words_are_matched_by_their_stem_and_in_any_script(self, store: Store) -> None:
        rows = await add(store, episode("Running dogs"), episode("我喜欢吃苹果和香蕉", second=1))
        for query, row in (("dog runs", rows[0]), ("苹果", rows[1])):
            found = await store.candidates(Scope("people", ALL), unit(store, 9)[0], query, 5)
            scores = dict(zip(found.ids, found.text_scores, strict=True))
            assert max(scores, key=scores.__getitem__) == row.id
            assert scores[row.id] > 0

    async def test_replaced_records_are_as_they_were_given_and_others_stay(
        self, store: Store
    ) -> None:
        rows = await add(store, *(episode(f"turn {n}", second=n) for n in range(5)))
        absent = replace(rows[4], id="0" * 32)
        changed = replace(rows[1], text="it's 'quoted' now", metadata={"a": "b"}, importance=0.5)
        await store.replace([changed, absent], unit(store, 7, 8), [rows[3].id, "f" * 32])
        kept = {row.id: row for row in await store.every(Selection("people"))}
        assert kept == {row.id: row for row in (rows[0], changed, rows[2], rows[4])}
        (hit,) = (await store.matching(Scope("people", ALL), "quoted", 9)).records
        assert hit == changed
        near = await store.nearest(Scope("people", ALL), unit(store, 7)[0], 1)
        assert [record.id for record in near.records] == [changed.id]
        assert near.scores[0] == pytest.approx(1.0, abs=1e-5)
        assert (await store.matching(Scope("people", ALL), "turn", 9)).records != []

    async def test_a_page_begins_behind_a_position(self, store: Store) -> None:
        rows = await add(store, *(episode(text, second=n // 2) for n, text in enumerate("abcdefg")))
        rows.sort(key=lambda row: (row.created_at, row.id))
        after = None
        for place in range(0, 7, 3):
            page = await store.page(Selection("people"), after, 3)
            assert page == rows[place : place + 3]
            after = (page[-1].created_at, page[-1].id)
        assert await store.page(Selection("people"), after, 3) == []

    async def test_conditions_select_on_every_level(self, store: Store) -> None:
        rows = await add(
            store,
            episode("a", speaker="ROBIN"),
            episode("b", "somas/2", second=10),
            summary("sum"),
            episode("far", namespace="other"),
        )

        async def selected(**conditions) -> set[str]:
            selection = Selection("people", conditions=Conditions(**conditions))
            members = {row_id for row_id, _ in await store.members(selection)}
            every = {record.id for record in await store.every(selection)}
            assert members == every
            return members

        ids = [row.id for row in rows]
        assert await selected() == set(ids[:3])
        assert await selected(level=Level.SUMMARY) == {ids[2]}
        assert await selected(somas=("somas/2", "nobody")) == {ids[1]}
        assert await selected(filters=Filters(speakers=("ROBIN",))) == {ids[0]}
        assert await selected(filters=Filters(begin=rows[1].created_at)) == {ids[1]}
        assert await store.members(Selection("people", ids=())) == []
        only = Selection("people", conditions=Conditions(level=Level.EPISODE))
        assert await store.forget(only) == 2
        assert await store.forget(Selection("people")) == 1
        assert {row.namespace for row in await store.every(Selection("other"))} == {"other"}

    async def test_fingerprints_tell_of_every_change(self, store: Store) -> None:
        rows = await add(store, *(episode(f"turn {n}", second=n) for n in range(3)), summary("s"))
        before = await store.fingerprints()
        assert before.keys() == {row.id for row in rows}
        await store.replace([replace(rows[0], importance=0.5)], unit(store, 0))
        await store.set_parent("people", "somas/1", "0" * 32)
        after = await store.fingerprints()
        changed = {row_id for row_id in before if before[row_id] != after[row_id]}
        assert changed == {row.id for row in rows[:3]}
        await store.discard([rows[0].id, rows[3].id])
        assert (await store.fingerprints()).keys() == {rows[1].id, rows[2].id}

    async def test_kept_finds_ids_and_hashes(self, store: Store) -> None:
        (row,) = await add(store, episode("one"))
        kept = await store.kept([row.id, "absent"], [row.content_hash, "absent"])
        assert kept.ids == {row.id}
        assert kept.hashes == {(Level.EPISODE, row.content_hash): row.id}
        assert (await store.kept([], [])).ids == frozenset()

    async def test_heads_know_the_next_ordinal_and_the_latest_summary(self, store: Store) -> None:
        rows = await add(
            store, episode("a"), episode("b", second=1), summary("s"), episode("c", "x")
        )
        heads = await store.heads("people", ["somas/1", "x", "absent"])
        assert heads == {"somas/1": SomaHead(2, rows[2].id), "x": SomaHead(1, "")}

    async def test_a_summary_becomes_the_parent_of_its_soma(self, store: Store) -> None:
        rows = await add(store, episode("a"), episode("b", "somas/2"), summary("s"))
        await store.set_parent("people", "somas/1", rows[2].id)
        stored = await store.fetch([row.id for row in rows])
        assert [stored[row.id].parent_id for row in rows] == [rows[2].id, "", ""]

    async def test_forgetting_is_counted_and_stays_in_its_namespace(self, store: Store) -> None:
        rows = await add(
            store, episode("a"), episode("b", second=1), episode("c", namespace="other")
        )
        foreign = Selection("people", ids=(rows[2].id,))
        assert await store.forget(foreign) == 0
        assert await store.forget(Selection("people", ids=(rows[0].id, "absent"))) == 1
        assert await store.forget(Selection("people", soma="somas/1")) == 1
        assert set(await store.fetch([row.id for row in rows])) == {rows[2].id}

    async def test_a_forgotten_summary_leaves_its_episodes_without_parent(
        self, store: Store
    ) -> None:
        rows = await add(store, summary("s"), episode("a"))
        assert rows[1].parent_id == rows[0].id
        await store.forget(Selection("people", ids=(rows[0].id,)))
        assert (await store.fetch([rows[1].id]))[rows[1].id].parent_id == ""

    async def test_purged_words_are_nowhere_on_the_disk(self, store: Store, tmp_path) -> None:
        rows = await add(
            store,
            *(episode(f"filler number {n} in a long list", second=n) for n in range(300)),
            episode("the zebrasecret is out", second=999),
        )
        await store.optimize()
        assert _holds(tmp_path, b"zebrasecret")
        assert await store.forget(Selection("people", ids=(rows[300].id,))) == 1
        assert await store.purge()
        assert not _holds(tmp_path, b"zebrasecret")
        assert await store.counts() == [NamespaceCount("people", 300, 0)]

    async def test_counts_are_sorted_by_namespace(self, store: Store) -> None:
        await add(store, episode("a", namespace="z"), episode("b"), summary("s"))
        assert await store.counts() == [NamespaceCount("people", 1, 1), NamespaceCount("z", 1, 0)]
        assert (await store.statistics()).disk_bytes > 0

    async def test_reads_and_upkeep_run_beside_writes(self, store: Store) -> None:
        async def write() -> None:
            for n in range(20):
                await add(store, episode(f"entry {n}", second=n))

        async def keep_up() -> None:
            for _ in range(5):
                await store.optimize()

        async def read() -> None:
            for _ in range(40):
                found = await store.candidates(Scope("people", ALL), unit(store, 0)[0], "entry", 50)
                await store.fetch(found.ids)

        await asyncio.gather(write(), keep_up(), read())
        assert await store.counts() == [NamespaceCount("people", 20, 0)]

    async def test_reads_run_beside_purges(self, store: Store) -> None:
        rows = await add(store, *(episode(f"entry {n}", second=n) for n in range(30)))
        finished = asyncio.Event()

        async def read() -> None:
            while not finished.is_set():
                found = await store.candidates(Scope("people", ALL), unit(store, 0)[0], "entry", 50)
                assert await store.fetch(found.ids)

        readers = [asyncio.create_task(read()) for _ in range(3)]
        for row in rows[:5]:
            await store.forget(Selection("people", ids=(row.id,)))
            assert await store.purge()
        finished.set()
        await asyncio.gather(*readers)
        assert await store.counts() == [NamespaceCount("people", 25, 0)]

    async def test_filters_narrow_the_episodes(self, store: Store) -> None:
        labelled = replace(episode("c", second=20), metadata={"k": 'a "q": "v"', "q": "w"})
        rows = await add(
            store,
            episode("a", speaker="ROBIN"),
            episode("b", second=10, speaker="it's"),
            labelled,
            summary("sum"),
        )
        early, late = rows[0].created_at, rows[1].created_at

        async def found(**filters) -> str:
            scope = Scope("people", ALL, filters=Filters(**filters))
            hits = (await store.candidates(scope, unit(store, 0)[0], "a b c", 9)).rows
            return "".join(sorted(row.text for row in hits if row.is_episode))

        assert await found(begin=late) == "bc"
        assert await found(end=late) == "a"
        assert await found(begin=early, end=late) == "a"
        assert await found(speakers=("it's", "nobody")) == "b"
        assert await found(labels={"q": "w"}) == "c"
        assert await found(labels={"k": 'a "q": "v"'}) == "c"
        assert await found(labels={"q": "v"}) == ""
        assert await found(labels={"q": "w"}, end=late) == ""
        only = Scope("people", (Level.SUMMARY,), filters=Filters(begin=late))
        assert (await store.candidates(only, unit(store, 0)[0], "sum", 9)).ids == []

    async def test_what_was_said_beside_is_found_by_its_place(self, store: Store) -> None:
        told = [episode(f"turn {place}", second=place) for place in range(5)]
        await add(store, *told, summary("all of it"), episode("elsewhere", "somas/2"))
        found = await store.beside("people", ["somas/1"], [1, 2, 9])
        assert {(row.text, row.ordinal) for row in found} == {("turn 1", 1), ("turn 2", 2)}
        assert all(row.is_episode for row in found)
        assert await store.beside("people", ["nobody"], [0]) == []
        assert await store.beside("other", ["somas/1"], [0]) == []

    async def test_all_of_a_namespace_and_a_sample_of_it(self, store: Store) -> None:
        rows = await add(store, episode("one"), episode("two"), summary("sum"))
        every = await store.every(Selection("people"))
        assert {row.id: row for row in every} == {row.id: row for row in rows}
        assert set(await store.sample("people", 9)) == {"one", "two"}
        assert len(await store.sample("people", 1)) == 1
        assert await store.every(Selection("other")) == []
        assert await store.sample("other", 9) == []

    async def test_revisions_tell_of_changes_and_of_nothing_else(self, store: Store) -> None:
        async def moved(change, *, soma: bool, all_of_it: bool) -> None:
            before = store.revision("people", "somas/1"), store.revision("people")
            await change
            after = store.revision("people", "somas/1"), store.revision("people")
            assert (after[0] > before[0], after[1] > before[1]) == (soma, all_of_it)

        (row,) = await add(store, episode("one"))
        await moved(add(store, episode("more", second=1)), soma=True, all_of_it=True)
        await moved(add(store, episode("else", "somas/2")), soma=False, all_of_it=True)
        await moved(add(store, episode("far", namespace="other")), soma=False, all_of_it=False)
        await moved(store.set_parent("people", "somas/1", "p"), soma=True, all_of_it=True)
        by_id = Selection("people", ids=(row.id,))
        await moved(store.forget(by_id), soma=True, all_of_it=True)
        await moved(store.forget(Selection("people", soma="somas/2")), soma=False, all_of_it=True)
        await moved(store.optimize(), soma=False, all_of_it=False)
        assert store.row_count("people") >= 1
        assert store.row_count("nobody") == 0

    async def test_additions_are_told_until_something_else_changes(self, store: Store) -> None:
        await add(store, episode("before", namespace="other"))
        begin = store.revision("people")
        first = await add(store, episode("one"), episode("far", namespace="other"))
        second = await add(store, episode("two", second=1))
        assert store.added_since("people", begin) == [first[0], *second]
        assert store.added_since("people", store.revision("people")) == []
        many = await add(store, *(episode(f"turn {n}", "many", second=n) for n in range(300)))
        assert store.added_since("people", begin) is None  # too many to be remembered
        assert (store.added_since("people", store.revision("people") - 1) or []) in ([], many)
        await store.set_parent("people", "somas/1", "0" * 32)
        assert store.added_since("people", begin) is None
        now = store.revision("people")
        third = await add(store, episode("three", second=2))
        assert store.added_since("people", now) == third
        await store.forget(Selection("people", soma="many"))
        assert store.added_since("people", now) is None
        assert store.added_since("nobody", 0) is None


def _holds(folder, needle: bytes) -> bool:
    return any(needle in path.read_bytes() for path in folder.rglob("*") if path.is_file())
