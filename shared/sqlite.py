"""SQLite as every service keeps its state: WAL, synchronous=FULL, one writer thread."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TypeVar

from shared.errors import DataLoss, FailedPrecondition, ResourceExhausted
from shared.uninterrupted import uninterrupted

T = TypeVar("T")


class Additive(str):
    """A migration that the programs before it can live with: they need not know what it adds.

    New tables and indexes are; a column is not, as rows are written in all their columns.
    """

    __slots__ = ()


class Database:
    """One SQLite file.

    Writes run one after another in a thread of their own, each function inside one IMMEDIATE
    transaction that is synced before `write` returns; reads run beside them. Functions get a
    connection whose rows are `sqlite3.Row`.
    """

    def __init__(self, path: Path, migrations: Sequence[str]) -> None:
        self._path = path
        self._migrations = tuple(migrations)
        self._gate = asyncio.Lock()
        self._writer = ThreadPoolExecutor(1, thread_name_prefix="sqlite-write")
        self._reader = ThreadPoolExecutor(1, thread_name_prefix="sqlite-read")
        self._write_connection: sqlite3.Connection | None = None
        self._read_connection: sqlite3.Connection | None = None

    async def open(self) -> None:
        """Opens the file and applies the migrations that it lacks.

        A file of a newer schema is taken as it is where all that is newer is Additive, so that an
        upgrade can be rolled back, and is FailedPrecondition (SCHEMA_TOO_NEW) elsewhere. Raises
        DataLoss for a damaged one.
        """
        loop = asyncio.get_running_loop()
        self._write_connection = await loop.run_in_executor(self._writer, self._open_for_writing)
        self._read_connection = await loop.run_in_executor(self._reader, self._connect)

    async def close(self) -> None:
        """Waits for what is under way and closes the file."""
        loop = asyncio.get_running_loop()
        for pool, connection in (
            (self._reader, self._read_connection),
            (self._writer, self._write_connection),
        ):
            if connection is not None:
                await loop.run_in_executor(pool, connection.close)
            pool.shutdown()
        self._read_connection = self._write_connection = None

    async def write(self, function: Callable[[sqlite3.Connection], T]) -> T:
        """Runs a function in one transaction; durable when this returns, undone if it raises.

        Waits for its end even when cancelled, so that whoever holds a lock around the write still
        holds it when the write is done.
        """
        loop = asyncio.get_running_loop()
        async with self._gate:
            return await uninterrupted(loop.run_in_executor(self._writer, self._transact, function))

    @property
    def schema(self) -> int:
        """The version of the schema that this program knows."""
        return len(self._migrations)

    @asynccontextmanager
    async def held(self) -> AsyncIterator[None]:
        """Holds all writes for the time of the context; the one under way is finished before."""
        async with self._gate:
            yield

    async def snapshot(self) -> "Snapshot":
        """Pins what is in the file now, however it changes afterwards."""
        return await asyncio.to_thread(Snapshot, self._path)

    def copied(self, path: Path) -> "Database":
        """Another file of the same schema, not open yet."""
        return Database(path, self._migrations)

    async def check_copy(self, path: Path) -> None:
        """Brings a copy of such a database, which nobody uses, up to this schema.

        Raises as `open` does, and DataLoss where it is damaged or has anything in it, such as a
        trigger, that is not of this schema.
        """
        copy = self.copied(path)
        if not await asyncio.to_thread(_is_begun, path):  # else it would become a new, empty one
            raise DataLoss(f"{path.name} is not a database of this program")
        try:
            await copy.open()
            await copy.read(_check_integrity)
            theirs = await copy.read(_declared)
        finally:
            await copy.close()
        if theirs != await self.read(_declared):
            raise DataLoss(f"{path.name} is not a database of this program")

    async def read(self, function: Callable[[sqlite3.Connection], T]) -> T:
        """Runs a function that only reads."""

        def run() -> T:
            assert self._read_connection is not None, "open() comes first"
            return function(self._read_connection)

        return await asyncio.get_running_loop().run_in_executor(self._reader, run)

    def _connect(self) -> sqlite3.Connection:
        connection = _connected(self._path)
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute("PRAGMA busy_timeout = 10000")
        return connection

    def _open_for_writing(self) -> sqlite3.Connection:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        connection = self._connect()
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = FULL")
            self._migrate(connection)
        except sqlite3.DatabaseError as error:
            connection.close()
            raise DataLoss(f"{self._path} cannot be read: {error}") from error
        return connection

    def _migrate(self, connection: sqlite3.Connection) -> None:
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        (oldest,) = connection.execute("PRAGMA application_id").fetchone()
        if version > len(self._migrations) and not 0 < oldest <= len(self._migrations):
            raise FailedPrecondition(
                f"{self._path} has schema {version}, this program knows {len(self._migrations)}; "
                "start the newer program",
                reason="SCHEMA_TOO_NEW",
            )
        for number, script in enumerate(self._migrations[version:], start=version + 1):
            # SQLite leaves the application's id to us: the oldest schema that can still work.
            oldest = oldest if oldest and isinstance(script, Additive) else number
            connection.executescript(
                f"BEGIN IMMEDIATE;\n{script}\n;PRAGMA user_version = {number};\n"
                f"PRAGMA application_id = {oldest};\nCOMMIT;"
            )

    def _transact(self, function: Callable[[sqlite3.Connection], T]) -> T:
        connection = self._write_connection
        assert connection is not None, "open() comes first"
        try:
            connection.execute("BEGIN IMMEDIATE")
            result = function(connection)
            connection.execute("COMMIT")
        except BaseException as error:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            if isinstance(error, sqlite3.OperationalError) and "full" in str(error):
                raise ResourceExhausted("the disk is full", reason="DISK_FULL") from error
            raise
        return result


class Snapshot:
    """A database as it was at one moment; SQLite keeps that version until `close`."""

    def __init__(self, path: Path) -> None:
        self._connection = _connected(path)
        self._connection.execute("BEGIN")
        (pages,) = self._connection.execute("PRAGMA page_count").fetchone()
        (page_size,) = self._connection.execute("PRAGMA page_size").fetchone()
        self._connection.execute("SELECT count(*) FROM sqlite_master").fetchone()  # pins it
        self.size_bytes = int(pages * page_size)

    async def copy_to(self, path: Path) -> None:
        """Writes this version to a file, which is one whole database."""
        await asyncio.to_thread(self._copy_to, path)

    async def close(self) -> None:
        """Lets go of the version."""
        await asyncio.to_thread(self._connection.close)

    def _copy_to(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.unlink(missing_ok=True)
        target = sqlite3.connect(path)
        try:
            self._connection.backup(target)
        finally:
            target.close()


def _connected(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    connection.row_factory = sqlite3.Row
    return connection


def _is_begun(path: Path) -> bool:
    """Whether a file has any schema of ours; True where it is no database at all."""
    connection = _connected(path)
    try:
        return bool(connection.execute("PRAGMA user_version").fetchone()[0])
    except sqlite3.DatabaseError:
        return True
    finally:
        connection.close()


def _check_integrity(connection: sqlite3.Connection) -> None:
    try:
        (verdict,) = connection.execute("PRAGMA integrity_check(1)").fetchone()
    except sqlite3.DatabaseError as error:
        raise DataLoss(f"a database is damaged: {error}") from error
    if verdict != "ok":
        raise DataLoss(f"a database is damaged: {verdict}")


def _declared(connection: sqlite3.Connection) -> list[tuple[str, str, str]]:
    rows = connection.execute("SELECT type, name, coalesce(sql, '') FROM sqlite_master ORDER BY 2")
    return [tuple(row) for row in rows]
