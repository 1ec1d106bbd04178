"""Quantiles of measured times."""

import statistics
from collections.abc import Sequence


def p50_and_p99(milliseconds: Sequence[float]) -> tuple[float, float]:
    """The median and the 99th percentile, to a hundredth; at least two values."""
    marks = statistics.quantiles(milliseconds, n=100, method="inclusive")
    return round(marks[49], 2), round(marks[98], 2)
