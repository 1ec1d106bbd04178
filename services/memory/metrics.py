"""What is kept and how fast, for Prometheus."""

from prometheus_client import Counter, Gauge, Histogram

_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)

rows = Gauge("batos_memory_rows", "Records in the table, as last looked at.")
unindexed_rows = Gauge("batos_memory_unindexed_rows", "Those that some index does not cover yet.")
committed_rows = Counter("batos_memory_committed_rows", "Records that were made durable.")
commit_seconds = Histogram(
    "batos_memory_commit_seconds", "Appending a group until it is durable.", buckets=_BUCKETS
)
embed_seconds = Histogram(
    "batos_memory_embed_seconds", "Making the vectors of a group or a query.", buckets=_BUCKETS
)
search_results = Histogram(
    "batos_memory_search_results",
    "Records that a search found.",
    buckets=(0, 1, 2, 5, 10, 20, 50, 100),
)
