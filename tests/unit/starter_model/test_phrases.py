"""Phrases: many ways to say one thing, none of them held out."""

import json
from random import Random

import pytest

from services.model_server.starter_model.corpus import family, phrase, reading
from services.model_server.starter_model.corpus.carrier import is_nominal, third_person
from services.model_server.starter_model.corpus.holdout import TRAIN, Holdout
from services.model_server.starter_model.corpus.row import rows
from services.model_server.starter_model.corpus.spec import UnusableDrawError
from services.model_server.starter_model.evaluation import FREE_FORM, free_form

EVERY = [*family.families(), *(each.family for each in reading.readings())]


@pytest.mark.parametrize("each", EVERY, ids=lambda each: each.key)
def test_no_way_to_say_it_in_training_is_the_held_out_one(each):
    held = each.say[-1]
    rng = Random(each.key)
    for template in each.phrases:
        for _ in range(8):
            said = phrase.vary(rng, phrase.expand(rng, template), held)
            assert not phrase.says(held, said)


@pytest.mark.parametrize("each", EVERY, ids=lambda each: each.key)
def test_every_phrase_fills(each):
    slots = {**each.args, **each.consts}
    for template in (*each.phrases, each.say[-1]):
        expanded = phrase.expand(Random(1), template)
        for slot in slots:
            expanded = expanded.replace(f"${slot}", "")
        assert "$" not in expanded
        assert not phrase.CHOICE.search(expanded)


def test_synonyms_are_drawn_but_never_inside_names():
    said = {phrase.vary(Random(n), "remove the digits of $digits_of", "x") for n in range(60)}
    assert len(said) > 5
    assert all(each.endswith("$digits_of") for each in said)


def test_a_whole_request_gets_no_carrier():
    chosen = next(f for f in family.families() if f.key == "count_vowels")
    said = {family.draw(Random(n), chosen, TRAIN).description for n in range(200)}
    assert any(each.startswith("How many vowels") for each in said)
    held = Holdout(carrier=True)
    carried = {family.draw(Random(n), chosen, held).description for n in range(60)}
    assert not any(each.startswith("How many vowels") for each in carried)


def test_things_and_actions_are_told_apart():
    assert is_nominal("the vowels of x")
    assert is_nominal("whichever is larger")
    assert not is_nominal("count the vowels")
    assert third_person("get rid of the vowels") == "gets rid of the vowels"


def test_free_form_requests_are_many_and_none_is_in_the_corpus():
    lines = [json.loads(line) for line in FREE_FORM.read_text().splitlines()]
    assert len(lines) >= 100
    assert len({line["description"] for line in lines}) == len(lines)
    assert len(free_form()) == len(lines)
    trained = {m["content"] for row in rows(3, 1500) for m in row.messages if m["role"] == "user"}
    for line in lines:
        assert not any(line["description"] in said for said in trained)


def test_families_are_many_and_differ():
    keys = [each.key for each in family.families()]
    assert len(keys) == len(set(keys)) >= 400
    codes = {(each.code, tuple(each.args.values())) for each in family.families()}
    assert len(codes) > 0.97 * len(keys)
    failures = 0
    for each in family.families():
        try:
            family.draw(Random(each.key), each, TRAIN)
        except UnusableDrawError:
            failures += 1
    assert failures < 0.1 * len(keys)
