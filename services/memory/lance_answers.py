"""What Lance answers, as the domain sees it. Plain computation, for a thread of its own."""

import numpy as np
import pyarrow as pa

from services.memory.candidates import Candidates
from services.memory.embedder import Vector
from services.memory.lance_rows import to_rows
from services.memory.records import Level
from services.memory.statistics import NamespaceCount
from services.memory.store import SomaHead


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
    rows = to_rows(near)
    scores = dict.fromkeys((row.id for row in rows), 0.0)
    fresh = []
    found = zip(to_rows(matching), matching["_score"].to_pylist(), strict=True)
    for place, (row, score) in enumerate(found):
        if row.id not in scores:
            rows.append(row)
            fresh.append(place)
        scores[row.id] = score
    vectors = matching["vector"].combine_chunks().flatten().to_numpy().reshape(-1, len(vector))
    return Candidates(
        rows=rows,
        similarities=np.concatenate([1.0 - near["_distance"].to_numpy(), vectors[fresh] @ vector]),
        text_scores=np.array([scores[row.id] for row in rows], dtype=np.float64),
    )
