"""Who talks, what it costs, and who has the GPU, for Prometheus."""

from collections.abc import Callable
from functools import partial

from prometheus_client import Counter, Gauge, Histogram

from services.supervisor.gpu_lease import ServingState

_BUCKETS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)

tokens = Counter(
    "batos_supervisor_tokens", "Tokens that models read and said.", ("persona", "kind")
)
first_token_seconds = Histogram(
    "batos_supervisor_first_token_seconds",
    "From a question to the first word of its answer.",
    buckets=_BUCKETS,
)
recalled = Counter("batos_supervisor_recollections", "Memories that turns began with.")
recall_failures = Counter("batos_supervisor_recall_failures", "Turns begun without Memory.")
tool_calls = Counter("batos_supervisor_tool_calls", "Calls of tools in turns.", ("outcome",))
swaps = Counter("batos_supervisor_swaps", "Models reported by the Trainer.", ("outcome",))

_turns = Gauge("batos_supervisor_turns", "Turns under way, and those that wait.", ("state",))
_lease = Gauge("batos_gpu_lease_state", "1 for the state that the GPU is in.", ("state",))

for _outcome in ("swapped", "refused"):
    swaps.labels(_outcome)


def watch_lease(state: Callable[[], ServingState]) -> None:
    """Shows the lease from now on, as it is at each scrape."""
    for each in ServingState:
        _lease.labels(each.name.lower()).set_function(partial(_is, state, each))


def _is(state: Callable[[], ServingState], wanted: ServingState) -> float:
    return float(state() is wanted)


def watch_turns(in_flight: Callable[[], int], waiting: Callable[[], int]) -> None:
    """Shows the turns from now on, as they are at each scrape."""
    _turns.labels("in_flight").set_function(in_flight)
    _turns.labels("waiting").set_function(waiting)
