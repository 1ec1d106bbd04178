"""How far a worker is."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Progress:
    """After `step` of `max_steps`: training loss, learning rate, speed and seconds left.

    `device_memory_bytes` is the most of the GPU that the worker held so far, 0 on a CPU.
    """

    step: int
    max_steps: int
    loss: float
    learning_rate: float
    tokens_per_second: float
    eta_seconds: float
    device_memory_bytes: int = 0
