"""Scores on a common scale."""

import numpy as np
import numpy.typing as npt

Scores = npt.NDArray[np.float64]  # one per row


def spread(values: Scores) -> Scores:
    """Min-max to 0..1; all ones where nothing tells the values apart."""
    if values.size == 0:
        return values
    low, high = values.min(), values.max()
    return (values - low) / (high - low) if high > low else np.ones_like(values)


def share(values: Scores) -> Scores:
    """Against the highest, so that 0 stays 0: no word matched."""
    high = values.max(initial=0.0)
    return values / high if high > 0 else np.zeros_like(values)
