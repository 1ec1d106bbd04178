import asyncio
from contextlib import aclosing
from pathlib import Path

import pytest

from services.supervisor import codex, sqlite_events
from services.supervisor.events import EventKind, Happening, watch
from services.supervisor.gpu_lease import Claim, ServingState, Standing
from services.supervisor.persona import ModelPointer
from services.supervisor.sqlite_events import SqliteEvents
from services.supervisor.sqlite_leases import SqliteLeases
from services.supervisor.sqlite_personas import SqlitePersonas
from shared.errors import Aborted, InvalidArgument, NotFound

ROOT = Path(__file__).parents[3]


async def happen(journal, message: str) -> None:
    happening = Happening(EventKind.ROLLED_BACK, "ROBIN", "x", message)
    await journal.write(lambda c: sqlite_events.append(c, happening))


async def first_events(journal, count: int, after: int = 0):
    events = []
    async with asyncio.timeout(10), aclosing(watch(SqliteEvents(journal), after)) as watched:
        async for event in watched:
            events.append(event)
            if len(events) == count:
                break
    return events


async def test_watchers_miss_nothing_while_events_pour_in(journal):
    async def pour() -> None:
        for number in range(300):
            await happen(journal, str(number))

    watchers = [asyncio.create_task(first_events(journal, 300)) for _ in range(3)]
    late = asyncio.create_task(first_events(journal, 200, after=100))
    await pour()
    for events in await asyncio.gather(*watchers):
        assert [e.sequence for e in events] == list(range(1, 301))
        assert [e.happening.message for e in events] == [str(n) for n in range(300)]
    assert [e.sequence for e in await late] == list(range(101, 301))


async def test_an_undone_transaction_leaves_no_gap(journal):
    await happen(journal, "one")

    def fail(connection) -> None:
        sqlite_events.append(connection, Happening(EventKind.DRAINING))
        raise RuntimeError("undone")

    with pytest.raises(RuntimeError):
        await journal.write(fail)
    await happen(journal, "two")
    assert [e.sequence for e in await first_events(journal, 2)] == [1, 2]


async def test_more_events_than_a_page(journal):
    def many(connection) -> None:
        for _ in range(1201):
            sqlite_events.append(connection, Happening(EventKind.DRAINING))

    await journal.write(many)
    assert [e.sequence for e in await first_events(journal, 1201)] == list(range(1, 1202))


async def test_watching_from_a_negative_sequence_is_refused(journal):
    with pytest.raises(InvalidArgument):
        await first_events(journal, 1, after=-1)


async def test_a_cancelled_writer_waits_for_its_write(journal):
    started = asyncio.Event()
    loop = asyncio.get_running_loop()

    def slow(connection) -> None:
        loop.call_soon_threadsafe(started.set)
        for _ in range(200):
            sqlite_events.append(connection, Happening(EventKind.DRAINING))

    write = asyncio.create_task(journal.write(slow))
    await started.wait()
    write.cancel()
    with pytest.raises(asyncio.CancelledError):
        await write
    assert len(await SqliteEvents(journal).page(0)) == 200


@pytest.fixture
async def personas(journal) -> SqlitePersonas:
    personas = SqlitePersonas(journal, codex.read(ROOT / "deploy/codex.toml"))
    await personas.enrol()
    return personas


def changed_codex(directory: Path) -> codex.Codex:
    text = (ROOT / "deploy/codex.toml").read_text()
    path = directory / "codex.toml"
    path.write_text(text.replace('model = "starter"', 'model = "llama3.2:3b"'))
    return codex.read(path)


def no_receipt(connection, moved) -> None:
    return


async def moved(personas, name: str, tag: str):
    happening = Happening(EventKind.MODEL_TUNED, name)
    persona = await personas.get(name)
    return await personas.move(
        persona, ModelPointer(tag, f"digest of {tag}"), happening, no_receipt
    )


async def test_a_pointer_moves_on_by_one_and_keeps_the_one_before(personas):
    persona = await moved(personas, "BRICK", "brick:run-1")
    assert persona.model == ModelPointer("brick:run-1", "digest of brick:run-1", 2)
    assert persona.previous == ModelPointer("starter", "", 1)
    assert persona == await personas.get("") == await personas.get("BRICK")


async def test_a_pointer_that_moved_meanwhile_is_not_moved(personas, journal):
    stale = await personas.get("BRICK")
    await moved(personas, "BRICK", "brick:run-1")
    with pytest.raises(Aborted):
        await personas.move(
            stale, ModelPointer("x", "y"), Happening(EventKind.DRAINING), no_receipt
        )
    assert (await personas.get("BRICK")).model.generation == 2
    assert len(await SqliteEvents(journal).page(0)) == 1


async def test_the_codex_gives_the_first_pointer_and_no_other(personas, journal, tmp_path):
    await personas.note_digest(await personas.get("ROBIN"), "abc")
    await moved(personas, "BRICK", "brick:run-1")
    again = SqlitePersonas(journal, changed_codex(tmp_path))
    await again.enrol()
    assert (await again.get("BRICK")).model.tag == "brick:run-1"
    assert (await again.get("ROBIN")).model == ModelPointer("llama3.2:3b", "", 1)


async def test_enrolling_again_changes_nothing(personas):
    await personas.note_digest(await personas.get("ROBIN"), "abc")
    before = await personas.all()
    await personas.enrol()
    assert await personas.all() == before
    assert [p.name for p in before] == ["ALFRED", "BABS", "BRICK", "ROBIN"]
    assert before[3].model.digest == "abc"


async def test_a_digest_is_noted_only_for_the_pointer_that_lacked_it(personas):
    stale = await personas.get("BRICK")
    await moved(personas, "BRICK", "brick:run-1")
    noted = await personas.note_digest(stale, "of the old one")
    assert noted.model.digest == "digest of brick:run-1"


async def test_a_persona_outside_the_codex_is_not_found(personas):
    with pytest.raises(NotFound, match="ALFRED, BABS, BRICK, ROBIN"):
        await personas.get("robin")


async def test_the_standing_of_the_lease_is_kept(journal):
    leases = SqliteLeases(journal)
    assert (await leases.load()).state is ServingState.SERVING
    standing = Standing(ServingState.TRAINING, 42, Claim("r", "trainingRuns/a", 7.5, 90.0))
    await leases.save(standing)
    assert await leases.load() == standing
