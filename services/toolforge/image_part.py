"""ToolForge's part of a Living Image: its one database."""

import sqlite3
from pathlib import Path

from services.toolforge.settings import ToolForgeSettings
from shared.image.part import Part
from shared.sqlite import Database

DATABASE = "toolforge.sqlite"


def of(settings: ToolForgeSettings, database: Database) -> Part:
    """The part of this ToolForge."""
    return Part(settings.data_dir, {DATABASE: database}, quiet=database.held)


def reconcile(live: Path, staged: Path) -> None:
    """Has the image's next events come after all that anybody has seen.

    Its last event moves behind the live ones: who watches gets it, again or for the first time.
    """
    seen = 0
    if (live / DATABASE).exists():
        seen = _last(live / DATABASE)
    connection = sqlite3.connect(staged / DATABASE)
    try:
        with connection:
            connection.execute(
                "UPDATE tool_events SET sequence = ? + 1 WHERE sequence < ?"
                " AND sequence = (SELECT max(sequence) FROM tool_events)",
                (seen, seen),
            )
    finally:
        connection.close()


def _last(path: Path) -> int:
    connection = sqlite3.connect(path)
    try:
        (sequence,) = connection.execute(
            "SELECT coalesce(max(sequence), 0) FROM tool_events"
        ).fetchone()
        return int(sequence)
    finally:
        connection.close()
