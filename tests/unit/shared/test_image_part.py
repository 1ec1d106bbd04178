"""A service's part of an image, on real files and a real database."""

from __future__ import annotations

import asyncio
import hashlib
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from shared.errors import DataLoss, FailedPrecondition, InvalidArgument
from shared.image import switching
from shared.image.cutting import Cuts
from shared.image.layout import Layout
from shared.image.part import Part
from shared.image.staging import Arriving, Piece, Staging
from shared.sqlite import Database

SCHEMA = ("CREATE TABLE facts (text TEXT NOT NULL) STRICT",)
NEWER = (*SCHEMA, "ALTER TABLE facts ADD COLUMN weight INTEGER NOT NULL DEFAULT 1")
FILE = "facts.sqlite"


async def opened(folder: Path, migrations: tuple[str, ...] = SCHEMA) -> Database:
    database = Database(folder / FILE, migrations)
    await database.open()
    return database


async def tell(database: Database, text: str) -> None:
    await database.write(lambda c: c.execute("INSERT INTO facts (text) VALUES (?)", (text,)))


async def told(database: Database) -> list[str]:
    return await database.read(lambda c: [row[0] for row in c.execute("SELECT text FROM facts")])


def part_of(folder: Path, database: Database) -> Part:
    return Part(
        folder,
        {FILE: database},
        database.held,
        folders=("papers",),
        trees=lambda _: [("papers", folder / "papers")],
    )


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    (tmp_path / "papers").mkdir()
    (tmp_path / "papers" / "one").write_bytes(b"1" * 100)
    database = await opened(tmp_path)
    await tell(database, "first")
    yield database
    await database.close()


@pytest.fixture
async def cuts(tmp_path: Path, database: Database) -> AsyncIterator[Cuts]:
    cuts = Cuts(part_of(tmp_path, database))
    yield cuts
    await cuts.close()


async def exported(cuts: Cuts, image: str = "a") -> list[Piece]:
    pieces: list[Piece] = []
    async for piece in cuts.export(image):
        if isinstance(piece, bytes):
            pieces.append(piece)
            last = pieces[-2]
            assert isinstance(last, Arriving)
            digest = hashlib.sha256(piece).digest()
            pieces[-2] = Arriving(last.name, last.size_bytes, digest)
        else:
            pieces.append(Arriving(*piece, hashlib.sha256(b"").digest()))
    return pieces


async def stream(pieces: list[Piece]) -> AsyncIterator[Piece]:
    for piece in pieces:
        yield piece


async def frozen_and_exported(cuts: Cuts) -> list[Piece]:
    await cuts.freeze("a", 5, [])
    await cuts.thaw("a")
    return await exported(cuts)


async def test_writes_wait_while_frozen_and_the_cut_does_not_have_them(database, cuts, tmp_path):
    await cuts.freeze("a", 5, [])
    writing = asyncio.ensure_future(tell(database, "second"))
    await asyncio.sleep(0.1)
    assert not writing.done()
    assert await told(database) == ["first"]
    await cuts.thaw("a")
    await writing
    # What changes after the thaw changes nothing in the cut.
    (tmp_path / "papers" / "one").unlink()
    (tmp_path / "papers" / "two").write_bytes(b"2")
    files = {p.name: b for p, b in zip(*[iter(await exported(cuts))] * 2, strict=True)}
    assert files["papers/one"] == b"1" * 100
    assert "papers/two" not in files
    copy = tmp_path / "copy.sqlite"
    copy.write_bytes(files[FILE])
    connection = sqlite3.connect(copy)
    assert connection.execute("SELECT text FROM facts").fetchall() == [("first",)]
    connection.close()


async def test_it_thaws_by_itself_and_such_a_cut_is_of_no_use(database, cuts):
    await cuts.freeze("a", 0.1, [])
    await asyncio.wait_for(tell(database, "second"), 2)
    with pytest.raises(FailedPrecondition) as caught:
        await cuts.thaw("a")
    assert caught.value.reason == "THAWED_EARLY"


async def test_freezing_again_is_the_same_freeze(cuts):
    assert await cuts.freeze("a", 5, []) > 0
    assert await cuts.freeze("a", 5, []) > 0


async def test_a_later_freeze_ends_an_earlier_one(database, cuts):
    await cuts.freeze("a", 5, [])
    await cuts.freeze("b", 5, [])
    with pytest.raises(FailedPrecondition) as caught:
        await cuts.thaw("a")
    assert caught.value.reason == "THAWED_EARLY"
    writing = asyncio.ensure_future(tell(database, "second"))
    await asyncio.sleep(0.1)
    assert not writing.done()
    await cuts.discard("")
    await writing


async def test_a_discarded_cut_leaves_nothing(database, cuts, tmp_path):
    await cuts.freeze("a", 5, [])
    await cuts.discard("a")
    await tell(database, "second")
    assert not list((tmp_path / ".images").glob("*"))
    with pytest.raises(FailedPrecondition) as caught:
        await exported(cuts)
    assert caught.value.reason == "NOT_CUT"


@pytest.mark.parametrize("ttl", [0, -1, 601, float("nan"), float("inf")])
async def test_a_time_that_is_none_is_refused(cuts, ttl):
    with pytest.raises(InvalidArgument):
        await cuts.freeze("a", ttl, [])


@pytest.mark.parametrize("image", ["", "../a", "a/b", ".", "a" * 101, "ä"])
async def test_a_name_that_leads_elsewhere_is_refused(cuts, image):
    with pytest.raises(InvalidArgument):
        await cuts.freeze(image, 5, [])


async def test_what_was_exported_is_switched_to(database, cuts, tmp_path):
    pieces = await frozen_and_exported(cuts)
    await tell(database, "after")
    (tmp_path / "papers" / "after").write_bytes(b"x")
    await Staging(part_of(tmp_path, database)).take("a", stream(pieces))
    assert await told(database) == ["first", "after"]
    switching.decide(tmp_path, "a")
    await database.close()
    switching.finish(tmp_path, [FILE], ["papers"])
    back = await opened(tmp_path)
    assert await told(back) == ["first"]
    await back.close()
    assert [path.name for path in (tmp_path / "papers").iterdir()] == ["one"]
    assert Layout(tmp_path).loaded_image() == "a"
    assert [path.name for path in (tmp_path / ".images").iterdir()] == ["loaded"]


@pytest.mark.parametrize("renames", range(12))
async def test_a_crash_anywhere_in_the_switch_ends_in_the_new_state(
    database, cuts, tmp_path, monkeypatch, renames
):
    pieces = await frozen_and_exported(cuts)
    await tell(database, "after")
    await Staging(part_of(tmp_path, database)).take("a", stream(pieces))
    await cuts.close()
    await database.close()
    switching.decide(tmp_path, "a")
    left, rename = renames, Path.rename

    class Crash(Exception):
        pass

    def crashing(self: Path, target: Path) -> Path:
        nonlocal left
        if not left:
            raise Crash
        left -= 1
        return rename(self, target)

    with monkeypatch.context() as patched:
        patched.setattr(Path, "rename", crashing)
        try:
            switching.finish(tmp_path, [FILE], ["papers"])
        except Crash:
            pass
        else:
            assert renames > 5
    switching.decide(tmp_path, "a")  # whoever is asked again by one who does not know
    switching.finish(tmp_path, [FILE], ["papers"])
    back = await opened(tmp_path)
    assert await told(back) == ["first"]
    await back.close()
    assert (tmp_path / "papers" / "one").read_bytes() == b"1" * 100


async def test_without_a_decision_a_start_changes_nothing(database, cuts, tmp_path):
    pieces = await frozen_and_exported(cuts)
    await tell(database, "after")
    await Staging(part_of(tmp_path, database)).take("a", stream(pieces))
    await database.close()
    switching.finish(tmp_path, [FILE], ["papers"])
    back = await opened(tmp_path)
    assert await told(back) == ["first", "after"]
    await back.close()
    with pytest.raises(FailedPrecondition, match="not imported"):
        switching.decide(tmp_path, "b")


async def test_an_older_schema_is_brought_up_to_date_beside_what_is_in_use(
    cuts, tmp_path, tmp_path_factory
):
    pieces = await frozen_and_exported(cuts)
    elsewhere = tmp_path_factory.mktemp("newer")
    newer = await opened(elsewhere, NEWER)
    await Staging(part_of(elsewhere, newer)).take("a", stream(pieces))
    staged = sqlite3.connect(Layout(elsewhere).staged("a") / FILE)
    assert staged.execute("SELECT text, weight FROM facts").fetchall() == [("first", 1)]
    staged.close()
    assert await told(newer) == []
    await newer.close()


async def test_a_newer_schema_is_refused(tmp_path, tmp_path_factory, cuts, database):
    elsewhere = tmp_path_factory.mktemp("newer")
    newer = await opened(elsewhere, NEWER)
    theirs = Cuts(Part(elsewhere, {FILE: newer}, newer.held))
    await theirs.freeze("a", 5, [])
    pieces = await exported(theirs)
    await theirs.close()
    await newer.close()
    with pytest.raises(FailedPrecondition) as caught:
        await Staging(part_of(tmp_path, database)).take("a", stream(pieces))
    assert caught.value.reason == "SCHEMA_TOO_NEW"
    assert not list((tmp_path / ".images").glob("[as]*-a"))


def file_of(content: bytes, name: str = FILE) -> list[Piece]:
    return [Arriving(name, len(content), hashlib.sha256(content).digest()), content]


def hostile_database(tmp_path: Path, script: str) -> bytes:
    path = tmp_path / "hostile.sqlite"
    connection = sqlite3.connect(path)
    connection.executescript(f"{SCHEMA[0]}; {script}; PRAGMA user_version = 1")
    connection.close()
    return path.read_bytes()


@pytest.mark.parametrize(
    "script",
    [
        "CREATE TRIGGER evil AFTER INSERT ON facts BEGIN DELETE FROM facts; END",
        "CREATE VIEW more AS SELECT * FROM facts",
        "CREATE TABLE more (a)",
        "CREATE INDEX more ON facts (text)",
        "DROP TABLE facts",
        "DROP TABLE facts; CREATE TABLE facts (text)",
    ],
)
async def test_a_database_with_anything_else_in_it_is_refused(database, tmp_path, script):
    content = hostile_database(tmp_path, script)
    with pytest.raises(DataLoss, match="not a database of this program"):
        await Staging(part_of(tmp_path, database)).take("a", stream(file_of(content)))


@pytest.mark.parametrize(
    ("pieces", "kind", "words"),
    [
        ([], DataLoss, "is missing"),
        ([b"x"], InvalidArgument, "before any file"),
        (file_of(b"x", "../facts.sqlite"), InvalidArgument, "relative path"),
        (file_of(b"x", "/etc/passwd"), InvalidArgument, "relative path"),
        (file_of(b"x", "papers/../../x"), InvalidArgument, "relative path"),
        (file_of(b"x", "papers/./x"), InvalidArgument, "relative path"),
        (file_of(b"x", "papers//x"), InvalidArgument, "relative path"),
        (file_of(b"x", "papers/\n"), InvalidArgument, "relative path"),
        (file_of(b"x", "a/" * 20 + "b"), InvalidArgument, "relative path"),
        (file_of(b"x", "lock"), InvalidArgument, "no file of this part"),
        (file_of(b"x", "facts.sqlite-wal"), InvalidArgument, "no file of this part"),
        (file_of(b"x", ".images/switch"), InvalidArgument, "no file of this part"),
        (file_of(b"x", "papers/x") * 2, InvalidArgument, "twice"),
        ([Arriving(FILE, 2, b"\0" * 32), b"x"], DataLoss, "cut off"),
        ([Arriving(FILE, 1, b"\0" * 32), b"xy"], DataLoss, "longer"),
        ([Arriving(FILE, 1, b"\0" * 32), b"x"], DataLoss, "SHA-256"),
        (file_of(b""), DataLoss, "not a database of this program|damaged"),
        (file_of(b"no database at all, but some text" * 99), DataLoss, "cannot be read"),
    ],
)
async def test_bad_imports_are_refused_and_leave_nothing(database, tmp_path, pieces, kind, words):
    with pytest.raises(kind) as caught:
        await Staging(part_of(tmp_path, database)).take("a", stream(pieces))
    said = caught.value.message + " ".join(
        v.description for v in getattr(caught.value, "violations", ())
    )
    assert any(word in said for word in words.split("|")), said
    assert not list((tmp_path / ".images").glob("[as]*-a"))
    assert await told(database) == ["first"]


async def test_a_damaged_database_is_refused(cuts, database, tmp_path):
    for number in range(2000):
        await tell(database, f"fact {number}" * 5)
    pieces = await frozen_and_exported(cuts)
    (content,) = [b for p, b in zip(*[iter(pieces)] * 2, strict=True) if p.name == FILE]
    damaged = bytearray(content)
    damaged[len(content) // 2 : len(content) // 2 + 4096] = b"\xff" * 4096
    with pytest.raises(DataLoss):
        await Staging(part_of(tmp_path, database)).take("a", stream(file_of(bytes(damaged))))
