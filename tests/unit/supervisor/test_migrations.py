"""A journal of an earlier version is brought up to date, with all that is in it."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from services.supervisor.sqlite_journal import MIGRATIONS, Journal, micros
from services.supervisor.sqlite_soma_search import SqliteSomaSearch
from services.supervisor.sqlite_somas import SqliteSomas
from shared.errors import FailedPrecondition
from tests.unit.supervisor.samples import START, question, soma, turn

TURN = """
INSERT INTO turns (
    soma_id, number, request_id, payload_sha256, user_text, assistant_text, system_text,
    recollections, tag, digest, generation, created_at, first_token_us, wall_us,
    recall_unavailable, rating, correction
) VALUES ('s1', 1, 'r1', x'00', 'My boat is green.', 'Noted.', '', '[]', 'starter', 'd', 1, ?, 1,
    2, 0, 1, '')
"""


def old_journal(path: Path, version: int) -> None:
    connection = sqlite3.connect(path)
    for script in MIGRATIONS[:version]:
        connection.executescript(script)
    connection.execute("INSERT INTO somas VALUES (1, 's1', 'ROBIN', ?, NULL)", (micros(START),))
    connection.execute(TURN, (micros(START),))
    connection.execute(f"PRAGMA user_version = {version}")
    connection.commit()
    connection.close()


@pytest.mark.parametrize("version", range(2, len(MIGRATIONS) + 1))
async def test_what_an_earlier_version_kept_is_there(tmp_path, version):
    old_journal(tmp_path / "supervisor.sqlite", version)
    journal = Journal(tmp_path / "supervisor.sqlite")
    await journal.open()
    somas = SqliteSomas(journal)
    (kept,) = (await somas.get("s1")).turns
    assert (kept.user_text, kept.tool_calls, kept.prompt_tokens) == ("My boat is green.", (), 0)
    assert [h.number for h in await SqliteSomaSearch(journal).search("boat", "", 5)] == [1]
    added = await somas.keep(question(soma_id="s1"), soma(), turn("And my car is red."))
    assert added.turn.number == 2
    assert [h.number for h in await SqliteSomaSearch(journal).search("car", "", 5)] == [2]
    await journal.close()


async def test_a_journal_of_a_later_version_is_refused(tmp_path):
    old_journal(tmp_path / "supervisor.sqlite", 2)
    connection = sqlite3.connect(tmp_path / "supervisor.sqlite")
    connection.execute(f"PRAGMA user_version = {len(MIGRATIONS) + 1}")
    connection.close()
    with pytest.raises(FailedPrecondition) as caught:
        await Journal(tmp_path / "supervisor.sqlite").open()
    assert caught.value.reason == "SCHEMA_TOO_NEW"
