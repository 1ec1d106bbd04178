from __future__ import annotations

import dataclasses
import json
import random

import pytest

from services.trainer.golden_dataset import build_dataset, row_json
from shared.errors import FailedPrecondition
from tests.unit.trainer.examples import talk, tool


def test_exact_duplicates_are_dropped_and_counted() -> None:
    dataset = build_dataset("BRICK", [tool(1), tool(2), tool(1), talk(1), talk(1)])
    assert dataset.duplicate_count == 2
    assert len(dataset.train) + len(dataset.heldout) == 3


@pytest.mark.parametrize(("count", "heldout"), [(8, 2), (39, 10), (40, 12), (44, 12), (80, 20)])
def test_a_quarter_of_the_tools_is_held_out_and_twelve_of_forty(count: int, heldout: int) -> None:
    dataset = build_dataset("BRICK", [tool(n) for n in range(count)])
    assert len(dataset.heldout) == heldout


def test_no_family_is_on_both_sides() -> None:
    examples = [tool(n, family=f"family {n % 9}") for n in range(60)]
    dataset = build_dataset("BRICK", examples)
    sides = [{e.family for e in part} for part in (dataset.train, dataset.heldout)]
    assert not sides[0] & sides[1]
    assert abs(len(dataset.heldout) - 15) <= 4  # as near as families of six or seven allow


def test_the_same_request_is_on_one_side_whatever_its_family() -> None:
    examples = [tool(n, description=f"Task {n % 5}") for n in range(40)]
    dataset = build_dataset("BRICK", examples)
    sides = [{e.prompt[1]["content"] for e in part} for part in (dataset.train, dataset.heldout)]
    assert sides[1]
    assert not sides[0] & sides[1]


def test_turns_of_one_soma_stay_together() -> None:
    examples = [talk(n, soma=f"somas/{n // 4}") for n in range(40)]
    dataset = build_dataset("ROBIN", examples)
    assert len(dataset.heldout) in (8, 12)
    assert not {e.family for e in dataset.train} & {e.family for e in dataset.heldout}


def test_a_single_family_is_learned_from_and_not_judged_by() -> None:
    dataset = build_dataset("BRICK", [tool(n, family="one") for n in range(50)])
    assert (len(dataset.train), len(dataset.heldout)) == (50, 0)


def test_order_does_not_matter_and_content_does() -> None:
    examples = [tool(n) for n in range(20)]
    shuffled = random.Random(1).sample(examples, len(examples))
    assert build_dataset("BRICK", examples).sha256 == build_dataset("BRICK", shuffled).sha256
    assert build_dataset("BRICK", examples).sha256 != build_dataset("BRICK", examples[1:]).sha256
    assert build_dataset("BRICK", examples).sha256 != build_dataset("ROBIN", examples).sha256


def test_a_growing_dataset_hardly_moves_examples_across() -> None:
    few = build_dataset("BRICK", [tool(n) for n in range(60)])
    more = build_dataset("BRICK", [tool(n) for n in range(66)])
    moved = {e.family for e in few.heldout} & {e.family for e in more.train}
    assert len(moved) <= 2


def test_nothing_golden_is_a_typed_error() -> None:
    with pytest.raises(FailedPrecondition) as refused:
        build_dataset("BRICK", [])
    assert refused.value.reason == "NO_GOLDEN_EXAMPLES"


def test_talk_is_scrubbed_and_code_that_would_change_is_left_out() -> None:
    secret = "sk-" + "a1" * 12
    leaking = dataclasses.replace(tool(1), answer=f'def f(x: int) -> str:\n    return "{secret}"')
    dataset = build_dataset("BRICK", [leaking, tool(2), talk(1, answer=f"Use {secret}.")])
    assert dataset.withheld_count == 1
    texts = [e.answer for e in (*dataset.train, *dataset.heldout)]
    assert "Use [secret]." in texts
    assert secret not in "".join(texts)


def test_a_row_has_messages_and_what_it_is_judged_by() -> None:
    row = json.loads(row_json(tool(3)))
    assert [m["role"] for m in row["prompt"]] == ["system", "user"]
    assert row["completion"] == [{"role": "assistant", "content": tool(3).answer}]
    assert row["function"] == "add_3"
    assert row["examples"] == [{"arguments": {"x": 1}, "result": 4}]
