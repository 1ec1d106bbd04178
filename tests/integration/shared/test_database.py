import asyncio
import os
import signal
import sqlite3
import subprocess
import sys
import threading
import uuid

import pytest
from batos.memory.v1 import memory_pb2

from shared import errors, ledger
from shared.sqlite import Additive, Database

TABLE = "CREATE TABLE item (id INTEGER PRIMARY KEY, text TEXT NOT NULL) STRICT;"


@pytest.fixture
async def database(tmp_path):
    database = Database(tmp_path / "state.db", [ledger.Ledger.MIGRATION, TABLE])
    await database.open()
    yield database
    await database.close()


async def count(database):
    return await database.read(lambda c: c.execute("SELECT count(*) FROM item").fetchone()[0])


async def test_a_failed_transaction_leaves_nothing(database):
    def insert_and_fail(connection):
        connection.execute("INSERT INTO item (text) VALUES ('a')")
        raise errors.NotFound("gone")

    with pytest.raises(errors.NotFound):
        await database.write(insert_and_fail)
    assert await count(database) == 0


async def test_writes_are_serialised(database):
    def bump(connection):
        n = connection.execute("SELECT count(*) FROM item").fetchone()[0]
        connection.execute("INSERT INTO item VALUES (?, 'x')", (n,))

    await asyncio.gather(*(database.write(bump) for _ in range(50)))
    assert await count(database) == 50


async def test_a_newer_schema_is_refused(tmp_path):
    path = tmp_path / "state.db"
    newer = Database(path, [TABLE, "CREATE TABLE more (id INTEGER) STRICT;"])
    await newer.open()
    await newer.close()
    older = Database(path, [TABLE])
    with pytest.raises(errors.FailedPrecondition) as caught:
        await older.open()
    assert caught.value.reason == "SCHEMA_TOO_NEW"
    await older.close()


MORE = Additive("CREATE TABLE more (id INTEGER) STRICT;")
OTHER = "ALTER TABLE item ADD COLUMN more TEXT;"


@pytest.mark.parametrize(
    ("newer", "older", "taken"),
    [
        ([TABLE, MORE], [TABLE], True),
        ([TABLE, MORE, MORE.replace("more", "most")], [TABLE], False),  # a plain str again
        ([TABLE, OTHER, MORE], [TABLE], False),
        ([TABLE, OTHER, MORE], [TABLE, OTHER], True),
        ([TABLE, MORE, OTHER], [TABLE, MORE], False),
    ],
)
async def test_an_upgrade_that_only_adds_can_be_rolled_back(tmp_path, newer, older, taken):
    path = tmp_path / "state.db"
    for migrations in (older, newer):
        database = Database(path, migrations)
        await database.open()
        await database.close()
    back = Database(path, older)
    if not taken:
        with pytest.raises(errors.FailedPrecondition, match="start the newer program"):
            await back.open()
    else:
        await back.open()
        await back.write(lambda c: c.execute("INSERT INTO item (text) VALUES ('kept')"))
    await back.close()
    again = Database(path, newer)
    await again.open()
    assert await count(again) == int(taken)
    await again.close()


async def test_a_damaged_file_is_data_loss_and_stays_as_it_is(tmp_path):
    path = tmp_path / "state.db"
    path.write_bytes(b"not a database, but longer than a header" * 40)
    before = path.read_bytes()
    database = Database(path, [TABLE])
    with pytest.raises(errors.DataLoss):
        await database.open()
    assert path.read_bytes() == before
    await database.close()


def request(request_id, soma="somas/a"):
    return memory_pb2.ForgetRequest(request_id=request_id, namespace="n", soma=soma)


async def test_the_first_answer_is_replayed_and_a_changed_request_refused(database):
    answers = ledger.Ledger(database)
    first = request(str(uuid.uuid4()))
    answer = memory_pb2.ForgetResponse(forgotten_count=3)
    assert await answers.replay(first, memory_pb2.ForgetResponse) is None
    await database.write(lambda c: ledger.record(c, first, answer))
    assert await answers.replay(first, memory_pb2.ForgetResponse) == answer
    with pytest.raises(errors.InvalidArgument) as caught:
        await answers.replay(request(first.request_id, "somas/b"), memory_pb2.ForgetResponse)
    assert caught.value.reason == "REQUEST_ID_REUSED"


async def test_a_request_id_that_is_no_uuid_is_a_field_violation(database):
    with pytest.raises(errors.InvalidArgument) as caught:
        await ledger.Ledger(database).replay(request("1"), memory_pb2.ForgetResponse)
    assert caught.value.violations[0].field == "request_id"


async def test_a_repetition_waits_for_the_first_answer_however_its_id_is_written(database):
    answers, order = ledger.Ledger(database), []
    request_id = str(uuid.uuid4())

    async def mutate(spelling, name):
        async with answers.alone(request(spelling)):
            order.append(f"{name} begins")
            await asyncio.sleep(0.01)
            order.append(f"{name} ends")

    await asyncio.gather(mutate(request_id, "first"), mutate(request_id.upper(), "second"))
    assert order == ["first begins", "first ends", "second begins", "second ends"]


async def test_a_cancelled_write_is_waited_for(database):
    begun, go_on, ended = threading.Event(), threading.Event(), []

    def slowly(connection):
        begun.set()
        go_on.wait(5)
        connection.execute("INSERT INTO item VALUES (1, 'x')")
        ended.append(True)

    write = asyncio.create_task(database.write(slowly))
    await asyncio.to_thread(begun.wait, 5)
    write.cancel()
    await asyncio.sleep(0.05)
    assert not write.done()
    go_on.set()
    with pytest.raises(asyncio.CancelledError):
        await write
    assert ended


WRITER = """
import asyncio, sys
from pathlib import Path
from shared.sqlite import Additive, Database

async def main():
    database = Database(Path(sys.argv[1]), [sys.argv[2]])
    await database.open()
    for number in range(100_000):
        await database.write(lambda c: c.execute("INSERT INTO item VALUES (?, 'x')", (number,)))
        print(number, flush=True)

asyncio.run(main())
"""


def test_what_was_acknowledged_survives_kill_9(tmp_path):
    path = tmp_path / "state.db"
    writer = subprocess.Popen(
        [sys.executable, "-c", WRITER, str(path), TABLE], stdout=subprocess.PIPE, text=True
    )
    acknowledged = [int(writer.stdout.readline()) for _ in range(30)][-1]
    os.kill(writer.pid, signal.SIGKILL)
    writer.communicate(timeout=10)
    with sqlite3.connect(path) as connection:
        kept = [row[0] for row in connection.execute("SELECT id FROM item ORDER BY id")]
    assert kept == list(range(len(kept)))
    assert len(kept) > acknowledged
