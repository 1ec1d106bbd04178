"""How busy the sandboxes are and how their runs end, for Prometheus."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from prometheus_client import Counter, Gauge, Histogram

from services.sandbox_executor.job import Outcome

if TYPE_CHECKING:
    from services.sandbox_executor.executor import Capacity

_CLAIM_BUCKETS = (0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
_BOOT_BUCKETS = (0.05, 0.1, 0.2, 0.3, 0.5, 0.75, 1, 2, 5, 10, 30)

runs = Counter("batos_sandbox_runs", "Runs and cells by how they ended.", ("outcome",))
claims = Counter("batos_sandbox_claims", "Sandboxes given out; warm were booted before.", ("warm",))
claim_seconds = Histogram(
    "batos_sandbox_claim_seconds", "Wait for a sandbox, the queue included.", buckets=_CLAIM_BUCKETS
)
boot_seconds = Histogram(
    "batos_sandbox_boot_seconds", "How long a boot took.", buckets=_BOOT_BUCKETS
)
boot_failures = Counter("batos_sandbox_boot_failures", "Boots that failed.")

_ready = Gauge("batos_sandbox_ready", "Sandboxes booted and waiting.")
_busy = Gauge("batos_sandbox_busy", "Sandboxes in which something runs.")
_queue = Gauge("batos_sandbox_queue_depth", "Callers that wait for a place.")
_sessions = Gauge("batos_sandbox_sessions", "Sessions that are open.")

for _outcome in Outcome:
    runs.labels(_outcome.value)
for _warm in ("true", "false"):
    claims.labels(_warm)


def watch(capacity: Callable[[], Capacity]) -> None:
    """Shows the capacity of this process's executor from now on, as it is at each scrape."""
    _ready.set_function(lambda: capacity().ready_count)
    _busy.set_function(lambda: capacity().busy_count)
    _queue.set_function(lambda: capacity().queued_count)
    _sessions.set_function(lambda: capacity().session_count)
