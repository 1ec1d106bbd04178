"""Search over what was said in Somas: SQLite's own full text (FTS5), ranked by BM25."""

import re
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass

from services.supervisor.soma import COLLECTION
from services.supervisor.sqlite_journal import Journal
from shared.errors import InvalidArgument

DEFAULT_LIMIT, MOST = 20, 100
_QUERY_CHARACTERS = 1000
_MOST_WORDS = 32
_WORD = re.compile(r"\w+")
_SEARCH = """
SELECT soma_id, number, persona, bm25(turn_words) AS rank,
    snippet(turn_words, -1, '', '', '…', 24) AS excerpt
FROM turn_words JOIN turns ON turns.rowid = turn_words.rowid JOIN somas ON somas.id = soma_id
WHERE turn_words MATCH :words AND (:persona = '' OR persona = :persona)
ORDER BY rank LIMIT :limit
"""


@dataclass(frozen=True, slots=True)
class TurnHit:
    """A turn that was found; higher scores are better, within one search."""

    soma: str
    number: int
    persona: str
    excerpt: str
    score: float


class SqliteSomaSearch:
    """Finds turns by their words."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal

    async def search(self, query: str, persona: str, limit: int) -> Sequence[TurnHit]:
        """Turns that have all words, or where none has, some; best first.

        `persona` "" means all, `limit` 0 means 20, more than 100 means 100. The query is data: of
        more than 1,000 characters the beginning counts. InvalidArgument where it has no words.
        """
        if limit < 0:
            raise InvalidArgument.of_field("limit", "must not be negative")
        words = _WORD.findall(query[:_QUERY_CHARACTERS])[:_MOST_WORDS]
        if not words:
            raise InvalidArgument.of_field("query", "has no words to search for")
        values = {"persona": persona, "limit": min(limit or DEFAULT_LIMIT, MOST)}
        quoted = [f'"{word}"' for word in words]

        def find(connection: sqlite3.Connection) -> list[sqlite3.Row]:
            for operator in (" AND ", " OR "):
                asked = values | {"words": operator.join(quoted)}
                if rows := connection.execute(_SEARCH, asked).fetchall():
                    return rows
            return []

        return [_hit(row) for row in await self._journal.read(find)]


def _hit(row: sqlite3.Row) -> TurnHit:
    name = f"{COLLECTION}/{row['soma_id']}"
    return TurnHit(name, row["number"], row["persona"], row["excerpt"], -row["rank"])
