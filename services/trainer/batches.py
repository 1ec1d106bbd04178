"""Which rows go into which batch: golden and rehearsal rows mixed, of similar length.

A batch costs as many tokens as its longest row times its rows, so rows are bucketed by length
(as in Khomenko et al. 2016), within windows small enough to keep the order random.
"""

from __future__ import annotations

import random
from collections.abc import Sequence

from services.trainer.hyperparameters import Hyperparameters

_WINDOW = 8  # batches that are sorted together


def rehearsal_rows_per_batch(parameters: Hyperparameters) -> int:
    """How many rows of a batch rehearse; at least one row is always golden."""
    wanted = round(parameters.batch_size * parameters.rehearsal_share)
    return min(wanted, parameters.batch_size - 1)


def plan_batches(
    golden: Sequence[int], rehearsal: Sequence[int], parameters: Hyperparameters
) -> list[list[int]]:
    """`max_steps` batches of row numbers; the same seed gives the same plan.

    `golden` and `rehearsal` are lengths in tokens; numbers from len(golden) on mean rehearsal
    rows. Every row is used once before any is used again.
    """
    draw = random.Random(parameters.seed)
    rehearsing = rehearsal_rows_per_batch(parameters) if rehearsal else 0
    lengths = [*golden, *rehearsal]
    golden_stream = _stream(
        range(len(golden)), (parameters.batch_size - rehearsing) * parameters.max_steps, draw
    )
    rehearsal_stream = _stream(
        range(len(golden), len(lengths)), rehearsing * parameters.max_steps, draw
    )
    batches: list[list[int]] = []
    while len(batches) < parameters.max_steps:
        count = min(_WINDOW, parameters.max_steps - len(batches))
        parts = (
            _buckets(golden_stream, count, parameters.batch_size - rehearsing, lengths),
            _buckets(rehearsal_stream, count, rehearsing, lengths),
        )
        window = [g + r for g, r in zip(*parts, strict=True)]
        draw.shuffle(window)
        batches += window
    return batches


def _stream(rows: range, count: int, draw: random.Random) -> list[int]:
    stream: list[int] = []
    while len(stream) < count:
        stream += draw.sample(rows, len(rows))
    return stream[:count]


def _buckets(stream: list[int], count: int, size: int, lengths: Sequence[int]) -> list[list[int]]:
    """Takes `count * size` rows off the stream; shortest bucket first."""
    rows = sorted(stream[: count * size], key=lambda row: lengths[row])
    del stream[: count * size]
    return [rows[n * size : (n + 1) * size] for n in range(count)]
