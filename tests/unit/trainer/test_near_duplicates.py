from __future__ import annotations

import random

from services.trainer.golden_dataset import build_dataset
from services.trainer.near_duplicates import near_duplicates
from tests.unit.trainer.examples import talk, tool

TEXT = (
    "The harbour was built of granite from the quarry behind the hill, and when the storm of that "
    "winter had passed the wall stood as it had stood before, but for three stones at its end."
)


def test_case_punctuation_and_a_word_make_no_other_text() -> None:
    near = [TEXT, TEXT.upper(), TEXT.replace(",", ";"), TEXT.replace("three", "four")]
    assert near_duplicates(near) == {1, 2, 3}


def test_other_texts_stay_and_so_does_what_differs_in_what_is_asked() -> None:
    texts = [TEXT, "Where do I live?", "Where did I live?", "What is my name?", "", "Yes.", "No."]
    assert near_duplicates(texts) == set()


def test_of_many_texts_all_near_pairs_are_found_and_no_others() -> None:
    rng = random.Random(3)
    words = [f"{a}{b}{c}" for a in "bcdfgl" for b in "aeiou" for c in "mnrst"]
    texts = [" ".join(rng.choices(words, k=40)) for _ in range(300)]
    again = {300 + n: texts[7 * n].capitalize() + "!" for n in range(40)}
    assert near_duplicates([*texts, *again.values()]) == set(again)


def test_talk_is_thinned_out_and_code_is_not() -> None:
    near = [talk(1, answer=TEXT), talk(1, answer=TEXT.replace("three", "four"))]
    dataset = build_dataset("BRICK", [*near, *(tool(n) for n in range(4))])
    assert (dataset.near_duplicate_count, dataset.duplicate_count) == (1, 0)
    assert dataset.source_counts == {"correction": 1, "tool": 4}
    assert dataset.lengths["least"] <= dataset.lengths["p50"] <= dataset.lengths["most"]
