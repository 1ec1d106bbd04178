"""The stores over a real SQLite file."""

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from services.toolforge import sqlite_forge_rows, sqlite_tool_rows
from services.toolforge.bell import Bell
from services.toolforge.evidence import Evidence, EvidenceKind
from services.toolforge.forge import Attempt, Forge, Kind, State, Verdict
from services.toolforge.lifecycle import ToolEventKind
from services.toolforge.sqlite_forges import SqliteForges
from services.toolforge.sqlite_lifecycle import SqliteLifecycle
from services.toolforge.sqlite_registry import SqliteRegistry
from services.toolforge.sqlite_trajectories import SqliteTrajectories
from services.toolforge.tool import Lineage, Tool, ToolState, make_tool
from shared.errors import Aborted, NotFound
from shared.naming import new_id
from shared.sqlite import Database
from tests.unit.toolforge.specs import GOOD_ADD, spec

FAILED = Attempt(1, Kind.DRAFT, Verdict.TRIAL_FAILED, "def add(): ...\n", "wrong", 1, 0.5, 0.25)
PASSED = Attempt(2, Kind.REPAIR, Verdict.PASSED, GOOD_ADD, "", 2, 0.5, 0.25)


def nothing(connection: object) -> None:
    """No companion."""


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    opened = Database(
        tmp_path / "toolforge.sqlite", (sqlite_tool_rows.MIGRATION, sqlite_forge_rows.MIGRATION)
    )
    await opened.open()
    yield opened
    await opened.close()


@pytest.fixture
def forges(database: Database) -> SqliteForges:
    return SqliteForges(database, Bell())


@pytest.fixture
def registry(database: Database) -> SqliteRegistry:
    return SqliteRegistry(database, Bell())


def tool(source: str = GOOD_ADD, name: str = "add", description: str = "Add two numbers.") -> Tool:
    wanted = spec(name=name, description=description)
    return make_tool(wanted, source.replace("add", name), "box")


def forged_tool(forge_id: str) -> Tool:
    return make_tool(spec(), GOOD_ADD, "box", Lineage(forge_id, "brick:1", 1, 2))


async def kept_forge(forges: SqliteForges) -> str:
    forge = Forge(new_id(), spec(), "BRICK", 4, State.QUEUED, time.time())
    await forges.create(forge, nothing)
    return forge.id


async def test_a_tool_comes_back_as_it_was_kept(registry: SqliteRegistry) -> None:
    kept = tool()
    await registry.register(kept, [], nothing)
    assert await registry.get("add") == kept
    with pytest.raises(NotFound):
        await registry.get("sub")


async def test_a_new_version_becomes_current_and_an_old_one_can_come_back(
    registry: SqliteRegistry,
) -> None:
    first, second = tool(), tool(GOOD_ADD.replace("a + b", "b + a"))
    for version in (first, second, first):
        await registry.register(version, [], nothing)
        assert (await registry.get("add")).version == version.version
    assert len(await registry.page("", 10)) == 1


async def test_a_companion_that_fails_undoes_the_registering(registry: SqliteRegistry) -> None:
    def fail(connection: object) -> None:
        raise RuntimeError("no")

    with pytest.raises(RuntimeError):
        await registry.register(tool(), [], fail)
    assert await registry.page("", 10) == []


async def test_what_is_not_indexed_waits_until_it_is(registry: SqliteRegistry) -> None:
    first, second = tool(), tool(GOOD_ADD.replace("a + b", "b + a"))
    await registry.register(first, [], nothing)
    await registry.register(second, [], nothing)
    (revision,) = await registry.unindexed()
    assert (revision.tool, revision.known) == (second, False)
    await registry.register(first, [], nothing)
    await registry.mark_indexed([revision])  # too late: it has changed since
    (revision,) = await registry.unindexed()
    assert (revision.tool, revision.known) == (first, True)
    await registry.mark_indexed([revision])
    assert await registry.unindexed() == []


async def test_words_find_tools_by_the_share_they_hold(registry: SqliteRegistry) -> None:
    await registry.register(tool(name="add", description="Sum of two numbers."), [], nothing)
    await registry.register(tool(name="mean", description="Mean of numbers."), [], nothing)
    found = await registry.matching(["sum", "numbers"], 5)
    assert [(hit.name, score) for hit, score in found] == [("add", 1.0), ("mean", 0.5)]
    assert await registry.matching(["'; drop table tools; --"], 5) == []
    assert await registry.matching([], 5) == []


async def test_a_forge_and_its_events_come_back(forges: SqliteForges) -> None:
    forge_id = await kept_forge(forges)
    assert await forges.begin(forge_id) == 1
    await forges.note_model(forge_id, "brick:1")
    await forges.add_attempt(forge_id, FAILED)
    assert await forges.succeed(forge_id, PASSED, tool(), [], [])
    forge = await forges.get(forge_id)
    assert (forge.state, forge.tool, forge.model) == (State.SUCCEEDED, "add", "brick:1")
    assert forge.attempts == (FAILED, PASSED)
    events = await forges.events(forge_id, 0)
    assert [(e.sequence, e.state, e.attempt) for e in events] == [
        (1, State.QUEUED, None),
        (2, State.RUNNING, None),
        (3, State.RUNNING, FAILED),
        (4, State.SUCCEEDED, PASSED),
    ]
    assert await forges.events(forge_id, 3) == events[3:]


async def test_an_ended_forge_changes_no_more(
    forges: SqliteForges, registry: SqliteRegistry
) -> None:
    forge_id = await kept_forge(forges)
    assert await forges.cancel(forge_id, nothing)
    cancelled = await forges.get(forge_id)
    await forges.note_model(forge_id, "brick:1")
    assert await forges.begin(forge_id) == 0
    await forges.add_attempt(forge_id, FAILED)
    assert not await forges.succeed(forge_id, PASSED, tool(), [], [])
    assert not await forges.fail(forge_id, "too late", "LATE")
    assert not await forges.cancel(forge_id, nothing)
    assert await forges.get(forge_id) == cancelled
    assert cancelled.state is State.CANCELLED
    assert await registry.page("", 10) == []
    assert len(await forges.events(forge_id, 0)) == 2


async def test_unfinished_forges_are_found_oldest_first(forges: SqliteForges) -> None:
    first = await kept_forge(forges)
    await asyncio.sleep(0.002)
    second = await kept_forge(forges)
    await asyncio.sleep(0.002)
    ended = await kept_forge(forges)
    await forges.fail(ended, "x", "X")
    assert await forges.unfinished() == [first, second]
    assert [forge.id for forge in await forges.page("", 2)] == [ended, second]
    assert [forge.id for forge in await forges.page(second, 2)] == [first]


async def test_trajectories_are_exported_oldest_first_and_whole(
    database: Database, forges: SqliteForges, registry: SqliteRegistry
) -> None:
    names = []
    for number in range(120):  # more than two pages
        owned = tool(name=f"add{number}")
        await registry.register(owned, [], nothing)
        names.append(f"tools/add{number}")
    good, bad, empty = [await kept_forge(forges) for _ in range(3)]
    await forges.succeed(good, PASSED, forged_tool(good), [], [])
    await forges.add_attempt(bad, FAILED)
    await forges.fail(bad, "no", "ATTEMPTS_USED_UP")
    await forges.fail(empty, "no model", "MODEL_ABSENT")
    exported = [t async for t in SqliteTrajectories(database).export(include_failed=False)]
    assert [t.source_name for t in exported] == [*names, f"forges/{good}"]
    graded = [t async for t in SqliteTrajectories(database).export(include_failed=True)]
    assert [t.source_name for t in graded] == [*names, f"forges/{good}", f"forges/{bad}"]
    assert [t.passed for t in graded[-2:]] == [True, False]
    assert graded[-1].code == "def add(): ..."
    assert [message.role for message in graded[0].prompt] == ["user"]
    assert len({t.family for t in exported}) == 1


async def test_the_same_code_for_the_same_prompt_is_exported_once(
    database: Database, registry: SqliteRegistry
) -> None:
    first, other, again = tool(), tool(GOOD_ADD.replace("a + b", "b + a")), tool()
    for version in (first, other, again):
        await registry.register(version, [], nothing)
    exported = [t async for t in SqliteTrajectories(database).export(include_failed=True)]
    assert [t.code for t in exported] == [GOOD_ADD.strip(), other.source.strip()]


async def test_what_is_in_quarantine_has_not_passed(
    database: Database, forges: SqliteForges, registry: SqliteRegistry
) -> None:
    forge_id = await kept_forge(forges)
    made = forged_tool(forge_id)
    await forges.succeed(forge_id, PASSED, made, [], [])
    lifecycle = SqliteLifecycle(database, Bell())
    await lifecycle.note_use(made, "KeyError: 'x'", 2, nothing)
    assert (await registry.get("add")).state is ToolState.ACTIVE
    await lifecycle.note_use(made, "KeyError: 'x'", 2, nothing)
    assert (await registry.get("add")).state is ToolState.QUARANTINED
    trajectories = SqliteTrajectories(database)
    assert [t async for t in trajectories.export(include_failed=False)] == []
    (graded,) = [t async for t in trajectories.export(include_failed=True)]
    assert (graded.source_name, graded.passed) == (f"forges/{forge_id}", False)
    assert [draft.verdict for draft in graded.drafts] == [Verdict.PASSED]
    events = await lifecycle.events(0, 10)
    assert [event.kind for event in events] == [
        ToolEventKind.REGISTERED,
        ToolEventKind.QUARANTINED,
    ]


async def test_reinstating_what_has_changed_meanwhile_is_refused(
    database: Database, registry: SqliteRegistry
) -> None:
    first, second = tool(), tool(GOOD_ADD.replace("a + b", "b + a"))
    await registry.register(first, [], nothing)
    await registry.register(second, [], nothing)
    evidence = Evidence(EvidenceKind.RETRIAL, "box", 1.0, 2, 2)
    with pytest.raises(Aborted):
        await SqliteLifecycle(database, Bell()).reinstate(first, evidence, lambda c, t: None)
    assert await registry.evidence(first) == []
