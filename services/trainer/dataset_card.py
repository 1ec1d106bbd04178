"""What is known of a dataset without its rows."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

_SHOWN_LINEAGE = 200


@dataclass(frozen=True)
class DatasetCard:
    """Counts, hashes and lineage; `files` maps file names to SHA-256 (hex).

    `lengths` are characters of a row at its quantiles, `lineage` names of the resources that the
    rows come from.
    """

    id: str
    sha256: str
    persona: str
    train_count: int
    heldout_count: int
    duplicate_count: int
    withheld_count: int
    source_counts: dict[str, int]
    created_at: float
    files: dict[str, str]
    near_duplicate_count: int
    lengths: dict[str, int]
    lineage: list[str]

    @property
    def name(self) -> str:
        """The resource name."""
        return f"datasets/{self.id}"


def readable(card: DatasetCard) -> str:
    """The card as Markdown, for people."""
    built = datetime.fromtimestamp(card.created_at, UTC)
    more = len(card.lineage) - _SHOWN_LINEAGE
    lines = [
        f"# Golden dataset {card.id}",
        "",
        f"For {card.persona}, built {built:%Y-%m-%d %H:%M} UTC. SHA-256 of the rows: {card.sha256}",
        "",
        "| | |",
        "|---|---|",
        f"| rows to learn from | {card.train_count} |",
        f"| rows to be judged by | {card.heldout_count} |",
        *(f"| from {source} | {count} |" for source, count in sorted(card.source_counts.items())),
        f"| left out as duplicates | {card.duplicate_count} |",
        f"| left out as near duplicates | {card.near_duplicate_count} |",
        f"| tools left out for a secret in them | {card.withheld_count} |",
        *(f"| characters of a row, {name} | {size} |" for name, size in card.lengths.items()),
        "",
        "No family of code, no Soma and no request is on both sides. Secrets and e-mail addresses",
        "were blotted out.",
        "",
        "## Where the rows come from",
        "",
        *(f"* {name}" for name in card.lineage[:_SHOWN_LINEAGE]),
        *([f"* and {more} more, in manifest.json"] if more > 0 else []),
    ]
    return "\n".join(lines) + "\n"
