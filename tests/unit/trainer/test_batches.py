from __future__ import annotations

from collections import Counter

from services.trainer.batches import plan_batches
from services.trainer.hyperparameters import Hyperparameters

GOLDEN = [40 + (n * 37) % 300 for n in range(50)]
REHEARSAL = [30 + (n * 53) % 350 for n in range(400)]
PARAMETERS = Hyperparameters(max_steps=30, batch_size=16, rehearsal_share=0.75, seed=7)


def test_every_batch_has_its_share_of_rehearsal() -> None:
    plan = plan_batches(GOLDEN, REHEARSAL, PARAMETERS)
    assert len(plan) == 30
    for batch in plan:
        assert len(batch) == 16
        assert sum(row >= len(GOLDEN) for row in batch) == 12


def test_rows_come_again_only_after_all_have_come() -> None:
    plan = plan_batches(GOLDEN, REHEARSAL, PARAMETERS)
    uses = Counter(row for batch in plan for row in batch)
    golden = [uses[row] for row in range(len(GOLDEN))]
    assert max(golden) - min(golden) <= 1
    assert max(uses[row] for row in range(len(GOLDEN), len(GOLDEN) + len(REHEARSAL))) == 1


def test_the_seed_decides() -> None:
    other = Hyperparameters(max_steps=30, batch_size=16, rehearsal_share=0.75, seed=8)
    assert plan_batches(GOLDEN, REHEARSAL, PARAMETERS) == plan_batches(
        GOLDEN, REHEARSAL, PARAMETERS
    )
    assert plan_batches(GOLDEN, REHEARSAL, PARAMETERS) != plan_batches(GOLDEN, REHEARSAL, other)


def test_buckets_save_padding() -> None:
    lengths = [*GOLDEN, *REHEARSAL]

    def cost(plan: list[list[int]]) -> int:
        return sum(max(lengths[row] for row in batch) * len(batch) for batch in plan)

    plan = plan_batches(GOLDEN, REHEARSAL, PARAMETERS)
    flat = sorted(row for batch in plan for row in batch)
    unsorted = [flat[n::30] for n in range(30)]
    assert cost(plan) < 0.75 * cost(unsorted)


def test_without_rehearsal_rows_batches_are_golden() -> None:
    plan = plan_batches(GOLDEN, [], PARAMETERS)
    assert all(len(batch) == 16 and max(batch) < len(GOLDEN) for batch in plan)


def test_a_golden_row_is_in_every_batch_whatever_the_share() -> None:
    greedy = Hyperparameters(max_steps=4, batch_size=2, rehearsal_share=0.95)
    assert all(min(batch) < len(GOLDEN) for batch in plan_batches(GOLDEN, REHEARSAL, greedy))
