"""From what people do to what the machine must have."""

from __future__ import annotations

import math
from dataclasses import dataclass

from deploy.capacity.queue import Queue, places_needed

# Figures of docs/scaling.md, which says how each was measured.
RUNS_AT_ONCE = 4  # of a sandbox-executor, by default
BOOT_CPU_SECONDS = 0.2
RECALL_CPU_SECONDS = 0.015
ROW_BYTES = 5_800  # on disk: text, 256 floats, indexes, versions that wait to be pruned
READ_ROW_BYTES = 9_000  # in memory, of namespaces that are judged whole
WHOLE_ROWS, WHOLE_LIMIT_ROWS = 16_000, 32_000
MEMORY_IDLE_BYTES = 345 << 20
SANDBOX_BYTES = 40 << 20  # a booted one


@dataclass(frozen=True)
class Demand:
    """What people do: turns a minute, tokens of an answer, calls of tools in a turn, and so on.

    `tokens_per_second` is what one of `parallel` answers of the model gets while all of them run.
    `quantile` of the turns are to wait no longer than `wait_seconds` for each thing they need.
    """

    turns_per_minute: float
    answer_tokens: float = 200
    tokens_per_second: float = 40
    parallel: int = 4
    calls_per_turn: float = 0.5
    run_seconds: float = 0.3
    memories: int = 100_000
    quantile: float = 0.95
    wait_seconds: float = 1.0


@dataclass(frozen=True)
class Plan:
    """What it takes. Waits are seconds at the demand's quantile; infinite where it is too much."""

    model_load: float
    model_wait_seconds: float
    answers_at_once: int
    most_turns_per_minute: float
    executors: int
    executor_load: float
    executor_wait_seconds: float
    cores: float
    sandbox_memory_bytes: int
    memory_bytes: int
    disk_bytes: int


def plan(demand: Demand) -> Plan:
    """The plan for a demand; ValueError where no number of replicas is enough."""
    turns = demand.turns_per_minute / 60
    seconds = demand.answer_tokens / demand.tokens_per_second
    model = Queue(turns, seconds, demand.parallel)
    calls = turns * demand.calls_per_turn
    stay = demand.run_seconds + BOOT_CPU_SECONDS  # its place is free once the sandbox is gone
    places = places_needed(calls, stay, demand.quantile, demand.wait_seconds) if calls else 1
    executors = math.ceil(places / RUNS_AT_ONCE)
    sandboxes = Queue(calls, stay, executors * RUNS_AT_ONCE)
    return Plan(
        model_load=model.load,
        model_wait_seconds=model.wait(demand.quantile),
        answers_at_once=places_needed(turns, seconds, demand.quantile, demand.wait_seconds),
        most_turns_per_minute=_most_turns(demand, seconds) * 60,
        executors=executors,
        executor_load=sandboxes.load,
        executor_wait_seconds=sandboxes.wait(demand.quantile),
        cores=calls * (BOOT_CPU_SECONDS + demand.run_seconds) + turns * RECALL_CPU_SECONDS,
        sandbox_memory_bytes=executors * RUNS_AT_ONCE * SANDBOX_BYTES,
        memory_bytes=MEMORY_IDLE_BYTES + min(demand.memories, WHOLE_LIMIT_ROWS) * READ_ROW_BYTES,
        disk_bytes=demand.memories * ROW_BYTES,
    )


def _most_turns(demand: Demand, seconds: float) -> float:
    """Turns a second that the model takes with that wait, by bisection."""
    low, high = 0.0, demand.parallel / seconds
    for _ in range(50):
        middle = (low + high) / 2
        waits = Queue(middle, seconds, demand.parallel).wait(demand.quantile)
        low, high = (middle, high) if waits <= demand.wait_seconds else (low, middle)
    return low
