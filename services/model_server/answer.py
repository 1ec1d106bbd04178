"""The lines of an answer, in the form that chat and generate share."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Any

from services.model_server.generation import Outcome

Line = dict[str, Any]


def timestamp(moment: datetime | None = None) -> str:
    """RFC 3339 in UTC; now, where no moment is given."""
    return (moment or datetime.now(UTC)).isoformat().replace("+00:00", "Z")


class Answer:
    """Made when the request arrives; `model` is the name as the caller wrote it."""

    def __init__(self, model: str) -> None:
        self._model = model
        self._started = time.monotonic_ns()
        self._load_ns = 0

    def loaded(self, load_ns: int) -> None:
        """Note how long the request waited for its model."""
        self._load_ns = load_ns

    def line(self, **fields: Any) -> Line:
        """One more piece."""
        return {"model": self._model, "created_at": timestamp(), **fields, "done": False}

    def empty(self, reason: str, **fields: Any) -> Line:
        """The only line of a request that loads or unloads."""
        return {**self.line(**fields), "done": True, "done_reason": reason}

    def last(self, outcome: Outcome, **fields: Any) -> Line:
        """The last line, with its statistics; durations are in nanoseconds."""
        return {
            **self.line(**fields),
            "done": True,
            "done_reason": outcome.reason,
            **self.durations(),
            **outcome.metrics(),
        }

    def durations(self) -> dict[str, int]:
        """What every answer says of its time, in nanoseconds."""
        return {
            "total_duration": time.monotonic_ns() - self._started,
            "load_duration": self._load_ns,
        }
