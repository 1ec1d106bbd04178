"""What is forged and how tools fare, for Prometheus."""

from prometheus_client import Counter, Gauge, Histogram

from services.toolforge.forge import State, Verdict

_BUCKETS = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 180)

forges = Counter("batos_toolforge_forges", "Forges by how they ended.", ("state",))
attempts = Counter("batos_toolforge_attempts", "Attempts by what came of them.", ("verdict",))
draft_seconds = Histogram(
    "batos_toolforge_draft_seconds", "The model's share of an attempt.", buckets=_BUCKETS
)
trial_seconds = Histogram(
    "batos_toolforge_trial_seconds", "The sandbox's share of an attempt.", buckets=_BUCKETS
)
invocations = Counter("batos_toolforge_invocations", "Calls of tools.", ("end",))
under_way = Gauge("batos_toolforge_forges_under_way", "Forges under way or waiting.")

for _state in State:
    if _state.ended:
        forges.labels(_state.name.lower())
for _verdict in Verdict:
    attempts.labels(_verdict.name.lower())
for _end in ("ok", "failed", "stopped"):
    invocations.labels(_end)
