"""A model in memory, and the right to use it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from services.model_server.model_store import StoredModel
from services.model_server.runner import Runner, RunnerSpec

FOREVER = datetime(2300, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Wanted:
    """A model and how to load it. Another manifest or other settings mean loading anew."""

    model: StoredModel
    spec: RunnerSpec

    @property
    def key(self) -> tuple[str, bool]:
        """A tag is loaded at most once for text and once for embeddings."""
        return str(self.model.name), self.spec.embedding

    @property
    def signature(self) -> tuple[str, RunnerSpec]:
        """Equal for requests that one loaded model can answer."""
        return self.model.manifest.digest(), self.spec


class Loaded:
    """A model that is being loaded, in memory, or being freed."""

    def __init__(self, wanted: Wanted, keep_alive: float) -> None:
        self.wanted = wanted
        self.keep_alive = keep_alive
        self.runner: Runner | None = None
        self.error: Exception | None = None
        self.users = 0
        self.leaving = False
        self.leave_when_idle = False
        self.used_at = time.monotonic()
        self.expires_at = FOREVER
        self.timer: asyncio.TimerHandle | None = None

    @property
    def idle(self) -> bool:
        """Whether it could be freed at once."""
        return self.runner is not None and not self.users and not self.leaving


class Lease:
    """The right to one answer from a loaded model; release it exactly once done."""

    def __init__(self, runner: Runner, waited_ns: int, release: Callable[[], None]) -> None:
        self.runner = runner
        self.load_ns = waited_ns
        self._release: Callable[[], None] | None = release

    def release(self) -> None:
        """Give it back; further calls do nothing."""
        release, self._release = self._release, None
        if release:
            release()
