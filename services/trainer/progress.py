"""How far a worker is."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Progress:
    """After `step` of `max_steps`: training loss, learning rate, speed and seconds left."""

    step: int
    max_steps: int
    loss: float
    learning_rate: float
    tokens_per_second: float
    eta_seconds: float
