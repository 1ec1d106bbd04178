"""Drafts and records for tests."""

from datetime import UTC, datetime, timedelta

from services.memory.batch import Batch, placed, rows_of
from services.memory.records import Draft, Level, Record
from shared.naming import new_id

START = datetime(2024, 3, 1, 12, tzinfo=UTC)


def episode(text: str, soma: str = "somas/1", *, namespace: str = "people", second: int = 0,
            speaker: str = "user") -> Draft:  # fmt: skip
    return Draft(namespace, Level.EPISODE, soma, speaker, text, START + timedelta(seconds=second))


def summary(text: str, soma: str = "somas/1", *, namespace: str = "people") -> Draft:
    return Draft(namespace, Level.SUMMARY, soma, "", text, START)


def records(*drafts: Draft) -> list[Record]:
    """The drafts as the first rows of an empty store."""
    import uuid

    return placed(rows_of([Batch(str(uuid.UUID(new_id())), drafts)]), {})
