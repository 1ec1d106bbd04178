"""How a LoRA is trained."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from shared.errors import InvalidArgument, Violation

# Field → lowest and highest value that makes sense for any engine.
_BOUNDS: dict[str, tuple[float, float]] = {
    "max_steps": (1, 100_000),
    "learning_rate": (1e-8, 1.0),
    "lora_rank": (1, 1024),
    "lora_alpha": (1, 4096),
    "batch_size": (1, 4096),
    "rehearsal_share": (0.0, 0.95),
    "seed": (0, 2**31 - 1),
    "max_length": (16, 1_048_576),
    "warmup_steps": (0, 100_000),
    "weight_decay": (0.0, 1.0),
    "lora_dropout": (0.0, 0.9),
    "merge_scale": (0.05, 1.0),
    "checkpoint_steps": (1, 100_000),
}


@dataclass(frozen=True)
class Hyperparameters:
    """One recipe; the defaults are those of QLoRA on a 7 B model.

    `max_steps` optimiser steps of `batch_size` rows each, of which `rehearsal_share` (0 to 1) are
    rehearsal rows; rows above `max_length` tokens are left out; `schedule` is a learning rate
    schedule as transformers names it; a checkpoint is kept every `checkpoint_steps`.
    `merge_scale` is the share of what was learnt that is merged into the base: below 1 the model
    stays nearer to what it knew (Wortsman et al. 2022, WiSE-FT, arXiv 2109.01903).
    """

    max_steps: int = 60
    learning_rate: float = 2e-4
    lora_rank: int = 16
    lora_alpha: int = 16
    batch_size: int = 8
    rehearsal_share: float = 0.25
    seed: int = 3407
    max_length: int = 2048
    warmup_steps: int = 5
    schedule: str = "linear"
    weight_decay: float = 0.01
    lora_dropout: float = 0.0
    merge_scale: float = 1.0
    checkpoint_steps: int = 20

    def replaced_by(self, given: Mapping[str, Any]) -> Hyperparameters:
        """This recipe with every given value that is not 0 or empty put in its place.

        Raises InvalidArgument naming every field that is unknown or out of bounds.
        """
        known = {field.name for field in dataclasses.fields(self)}
        faults = [Violation(f"hyperparameters.{n}", "is unknown") for n in given if n not in known]
        values = {name: value for name, value in given.items() if value and name in known}
        faults += [fault for name, value in values.items() if (fault := _fault(name, value))]
        if faults:
            words = "; ".join(f"{fault.field} {fault.description}" for fault in faults)
            raise InvalidArgument(words, faults)
        return dataclasses.replace(self, **values)


def _fault(name: str, value: Any) -> Violation | None:
    if name not in _BOUNDS:
        return (
            None if isinstance(value, str) else Violation(f"hyperparameters.{name}", "is no text")
        )
    low, high = _BOUNDS[name]
    if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
        return Violation(f"hyperparameters.{name}", f"must be from {low:g} to {high:g}")
    return None
