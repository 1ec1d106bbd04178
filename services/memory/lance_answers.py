"""What Lance answers, as the domain sees it. Plain computation, for a thread of its own."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from services.memory.embedder import Vector
from services.memory.records import Level
from services.memory.store import Candidates, NamespaceCount, Row, SomaHead

LIGHT_COLUMNS = ["id", "level", "soma", "ordinal", "speaker", "text", "created_at", "importance"]


def heads(rows: pa.Table) -> dict[str, SomaHead]:
    """Where each Soma goes on, from its rows (soma, ordinal, created_at, level, id)."""
    found: dict[str, SomaHead] = {}
    for row in sorted(rows.to_pylist(), key=lambda row: (row["ordinal"], row["created_at"])):
        head = found.get(row["soma"], SomaHead())
        if row["level"] == Level.SUMMARY:
            found[row["soma"]] = SomaHead(head.next_ordinal, row["id"])
        else:
            found[row["soma"]] = SomaHead(row["ordinal"] + 1, head.summary_id)
    return found


def counts(rows: pa.Table) -> list[NamespaceCount]:
    """Rows (namespace, level) counted per namespace, sorted by name."""
    totals: dict[str, dict[int, int]] = {}
    for row in rows.group_by(["namespace", "level"]).aggregate([([], "count_all")]).to_pylist():
        totals.setdefault(row["namespace"], {})[row["level"]] = row["count_all"]
    return [
        NamespaceCount(name, levels.get(Level.EPISODE, 0), levels.get(Level.SUMMARY, 0))
        for name, levels in sorted(totals.items())
    ]


def merged(near: pa.Table, matching: pa.Table, vector: Vector) -> Candidates:
    """Each row once, with both scores: those that only words found are compared here."""
    fresh = matching.filter(pc.invert(pc.is_in(matching["id"], near["id"])))
    compared = fresh["vector"].combine_chunks().flatten().to_numpy().reshape(-1, len(vector))
    scores = dict(zip(matching["id"].to_pylist(), matching["_score"].to_pylist(), strict=True))
    rows = pa.concat_tables([near.select(LIGHT_COLUMNS), fresh.select(LIGHT_COLUMNS)])
    found = light_rows(rows)
    return Candidates(
        rows=found,
        similarities=np.concatenate([1.0 - near["_distance"].to_numpy(), compared @ vector]),
        text_scores=np.array([scores.get(row.id, 0.0) for row in found], dtype=np.float64),
    )


def by_vector(near: pa.Table) -> Candidates:
    """Rows that were found by their vector alone."""
    return Candidates(light_rows(near), 1.0 - near["_distance"].to_numpy(), np.zeros(near.num_rows))


def by_words(matching: pa.Table) -> Candidates:
    """Rows that were found by their words alone."""
    scores = matching["_score"].to_numpy().astype(np.float64)
    return Candidates(light_rows(matching), np.zeros(matching.num_rows), scores)


def light_rows(rows: pa.Table) -> list[Row]:
    """Rows with LIGHT_COLUMNS."""
    columns = [rows[name].to_pylist() for name in LIGHT_COLUMNS]
    return [Row(row_id, Level(level), *rest) for row_id, level, *rest in zip(*columns, strict=True)]
