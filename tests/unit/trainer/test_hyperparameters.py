from __future__ import annotations

import pytest

from services.trainer.hyperparameters import Hyperparameters
from shared.errors import InvalidArgument


def test_nought_and_empty_mean_the_default() -> None:
    given = Hyperparameters().replaced_by({"max_steps": 0, "learning_rate": 0.0, "schedule": ""})
    assert given == Hyperparameters()


def test_given_values_replace() -> None:
    given = Hyperparameters().replaced_by({"max_steps": 7, "rehearsal_share": 0.9})
    assert (given.max_steps, given.rehearsal_share) == (7, 0.9)


def test_every_fault_is_named_at_once() -> None:
    faulty = {"max_steps": -1, "learning_rate": 3.0, "wings": 2, "lora_rank": True}
    with pytest.raises(InvalidArgument) as refused:
        Hyperparameters().replaced_by(faulty)
    assert {v.field.removeprefix("hyperparameters.") for v in refused.value.violations} == set(
        faulty
    )
