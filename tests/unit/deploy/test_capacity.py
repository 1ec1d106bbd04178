"""The calculator against a simulation of what it calculates, and at its edges."""

import heapq
import json
import math
import random

import pytest

from deploy.capacity.__main__ import main
from deploy.capacity.plan import Demand, plan
from deploy.capacity.queue import Queue, places_needed


def simulated(queue: Queue, callers: int, seed: int) -> list[float]:
    """The waits of callers who come one by one, each taken by the place that is free first."""
    draw = random.Random(seed)
    free, now, waits = [0.0] * queue.places, 0.0, []
    for _ in range(callers):
        now += draw.expovariate(queue.rate)
        start = max(now, heapq.heappop(free))
        heapq.heappush(free, start + draw.expovariate(1 / queue.seconds))
        waits.append(start - now)
    return sorted(waits)


@pytest.mark.parametrize(
    "queue",
    [
        Queue(rate=0.5, seconds=1.0, places=1),
        Queue(rate=0.5, seconds=5.0, places=4),
        Queue(rate=3.0, seconds=1.0, places=4),
        Queue(rate=10.0, seconds=0.5, places=8),
        Queue(rate=9.0, seconds=0.8, places=8),
    ],
    ids=lambda queue: f"{queue.places} places, {queue.load:.0%}",
)
def test_a_simulated_line_waits_as_calculated(queue):
    waits = simulated(queue, 200_000, seed=1)
    waiting = sum(wait > 0 for wait in waits) / len(waits)
    assert waiting == pytest.approx(queue.waiting_share, abs=0.02)
    for quantile in (0.5, 0.9, 0.95, 0.99):
        found = waits[int(quantile * len(waits))]
        assert found == pytest.approx(queue.wait(quantile), rel=0.12, abs=0.05 * queue.seconds)


def test_the_places_that_are_needed_are_enough_and_none_is_too_many():
    places = places_needed(rate=2.0, seconds=1.5, quantile=0.95, longest=0.5)
    for count, enough in ((places, True), (places - 1, False)):
        waits = simulated(Queue(2.0, 1.5, count), 200_000, seed=2)
        assert (waits[int(0.95 * len(waits))] <= 0.55) == enough


def test_the_most_turns_are_those_that_a_simulation_bears():
    demand = Demand(turns_per_minute=10, answer_tokens=100, tokens_per_second=20, parallel=4)
    most = plan(demand).most_turns_per_minute
    for share, holds in ((1.0, True), (1.15, False)):
        waits = simulated(Queue(share * most / 60, 5.0, 4), 200_000, seed=3)
        assert (waits[int(0.95 * len(waits))] <= 1.1) == holds


def test_too_much_for_the_model_is_said_and_not_averaged_away():
    made = plan(Demand(turns_per_minute=600))
    assert made.model_load > 1
    assert made.model_wait_seconds == math.inf
    assert made.answers_at_once > 4


def test_without_calls_one_executor_is_enough():
    made = plan(Demand(turns_per_minute=60, calls_per_turn=0))
    assert (made.executors, made.executor_load) == (1, 0)


def test_more_calls_take_more_executors():
    counts = [plan(Demand(turns_per_minute=n)).executors for n in (10, 1_000, 10_000)]
    assert counts == sorted(counts)
    assert counts[-1] > counts[0]


def test_the_command_prints_a_plan(capsys):
    main(["--turns-per-minute", "30", "--json"])
    assert json.loads(capsys.readouterr().out)["executors"] == 1
    main(["--turns-per-minute", "600"])
    assert "the line grows for ever" in capsys.readouterr().out


@pytest.mark.parametrize(
    "arguments",
    [
        ["--turns-per-minute", "0"],
        ["--turns-per-minute", "nan"],
        ["--turns-per-minute", "5", "--quantile", "1"],
        ["--turns-per-minute", "5", "--parallel", "-1"],
        ["--turns-per-minute", "1e12"],
    ],
)
def test_what_cannot_be_is_refused_in_words(arguments, capsys):
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 2
    assert "capacity: " in capsys.readouterr().err
