"""The corpus: reproducible, right, and silent about what is held out."""

import re
from random import Random

import pytest

from demo.lacking_family import FAMILIES, HELDOUT_NAMES, OWNED_NAMES
from services.model_server.starter_model.corpus import composition, family, reading, repair
from services.model_server.starter_model.corpus.fact import personal
from services.model_server.starter_model.corpus.holdout import TRAIN, UNSEEN, Holdout, is_held
from services.model_server.starter_model.corpus.row import rows
from services.model_server.starter_model.corpus.spec import Spec, UnusableDrawError, failing

ROWS = 1500


@pytest.fixture(scope="module")
def drawn():
    return list(rows(1, ROWS))


def drafts(drawn):
    return [row.messages for row in drawn if row.kind == "draft"]


def specs(holdout: Holdout) -> list[Spec]:
    found = []
    for each in family.families():
        for number in range(20):
            try:
                found.append(family.draw(Random(f"{each.key}/{number}"), each, holdout))
                break
            except UnusableDrawError:
                continue
    return found


def test_the_same_seed_gives_the_same_rows(drawn):
    assert list(rows(1, 60)) == drawn[:60]
    assert list(rows(2, 60)) != drawn[:60]


def test_there_are_two_hundred_families_and_each_can_be_drawn():
    assert len(family.families()) >= 200
    assert {spec.family for spec in specs(TRAIN)} == {f.key for f in family.families()}


@pytest.mark.parametrize("holdout", [TRAIN, UNSEEN], ids=["train", "unseen"])
def test_every_solution_passes_its_own_examples(holdout):
    composed = [composition.draw_usable(Random(n), holdout, held=n % 2 == 0) for n in range(60)]
    for spec in specs(holdout) + composed:
        assert failing(spec.source, spec) is None, spec


def test_every_solution_has_the_signature_that_was_asked_for():
    for spec in specs(TRAIN):
        assert f"{spec.head}:\n" in spec.source
        assert spec.request.split("\n")[2] == f"Signature: {spec.head}"


def test_the_usual_reading_fails_and_the_second_passes():
    seen = 0
    for each in reading.readings():
        try:
            ambiguity = reading.draw(Random(each.family.key), each, TRAIN)
        except UnusableDrawError:
            continue
        seen += 1
        assert failing(ambiguity.usual, ambiguity.spec) is not None
        assert failing(ambiguity.spec.source, ambiguity.spec) is None
    assert seen > 30


def test_a_broken_loop_is_never_run():
    spec = family.draw(Random(1), next(f for f in family.families() if f.key == "halvings"), TRAIN)
    assert "while " in spec.source
    broken = [repair.draw(Random(n), spec) for n in range(200)]
    assert any(broken)
    assert all("returned" not in each.finding for each in broken if each)


def test_training_never_meets_held_out_phrases():
    for each in family.families():
        assert each.say[-1] not in each.say[:-1], each.key


def test_training_never_meets_held_out_function_names(drawn):
    for messages in drafts(drawn):
        name = re.search(r"Signature: def (\w+)", messages[1]["content"])
        assert not is_held(name[1])


def test_training_and_held_out_values_of_facts_share_nothing():
    kinds = ("pet", "appointment", "code", "kept", "plan")
    for number, kind in enumerate(kinds * 10):
        assert not is_held(personal(Random(number), TRAIN, kind).value)
        assert is_held(personal(Random(number), UNSEEN, kind).value)


def test_held_out_compositions_are_never_drawn_for_training():
    for number in range(200):
        assert not composition.triple(Random(number), held=False).held


def test_the_lacking_families_are_absent(drawn):
    said = {w for row in drawn for m in row.messages for w in re.findall(r"[a-z]+", m["content"])}
    assert not said & {family.key for family in FAMILIES}


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.key)
def test_the_owners_tools_and_the_held_out_specs_share_nothing(family):
    owned = family.draw(1, True, len(OWNED_NAMES))
    heldout = family.draw(1, False, len(HELDOUT_NAMES))
    for key in ("name", "description"):
        assert not {each[key] for each in owned} & {each[key] for each in heldout}
    bodies = [{each["source"].splitlines()[-1] for each in side} for side in (owned, heldout)]
    assert not bodies[0] & bodies[1]
