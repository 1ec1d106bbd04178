"""Tokens and loaded models, for Prometheus."""

from __future__ import annotations

from collections.abc import Callable

from prometheus_client import Counter, Gauge

tokens = Counter("batos_model_server_tokens", "Tokens that models read and said.", ("kind",))
_loaded = Gauge("batos_model_server_loaded_models", "Models in memory.")
_waiting = Gauge("batos_model_server_waiting", "Requests that wait for a model.")

for _kind in ("prompt", "answer"):
    tokens.labels(_kind)


def watch(loaded: Callable[[], int], waiting: Callable[[], int]) -> None:
    """Shows the scheduler from now on, as it is at each scrape."""
    _loaded.set_function(loaded)
    _waiting.set_function(waiting)
