"""The starter model is trained on the very bytes that the forge sends."""

import json

import pytest

from services.model_server.starter_model.corpus.spec import Spec as CorpusSpec
from services.model_server.starter_model.evaluation import Question, evaluation_set
from services.toolforge import checks
from services.toolforge.prompt import draft_text, repair_text
from services.toolforge.spec import Spec, read_spec

STATIC = "The function failed.\nline "


def forge_spec(drawn: CorpusSpec) -> Spec:
    pairs = [
        (
            json.dumps(dict(zip(drawn.parameters, example.arguments, strict=True))),
            json.dumps(example.result),
        )
        for example in drawn.examples
    ]
    return read_spec(drawn.name, drawn.description, pairs)


def spec_of(question: Question) -> CorpusSpec:
    assert question.spec is not None
    return question.spec


@pytest.mark.parametrize("split", ["seen", "unseen", "composition", "value"])
def test_draft_requests_agree_to_the_byte(split: str) -> None:
    for question in evaluation_set(split, 60, seed=7):
        assert draft_text(forge_spec(spec_of(question))) == question.messages[1]["content"]


def test_solutions_of_the_corpus_pass_the_checks() -> None:
    for question in evaluation_set("seen", 60, seed=11) + evaluation_set("composition", 60, 11):
        solution = spec_of(question)
        assert checks.first_finding(solution.source, forge_spec(solution)) is None


def test_static_findings_of_the_corpus_are_those_of_the_forge() -> None:
    compared = 0
    for question in evaluation_set("repair", 200, seed=7):
        failed, request = question.messages[2]["content"], question.messages[3]["content"]
        finding = checks.first_finding(failed, forge_spec(spec_of(question)))
        assert (finding is not None) == request.startswith(STATIC), request
        if finding is not None:
            assert repair_text(finding) == request
            compared += 1
    assert compared > 40
