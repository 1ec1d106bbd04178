"""What makes an answer right: code that passes, words with the value, the call that was meant."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from benchmarks.starter_model.served import Answer
from services.model_server.starter_model.corpus.signature import repair_request
from services.model_server.starter_model.evaluation import Question
from services.model_server.starter_model.execution import findings


def faults(questions: Sequence[Question], answers: Sequence[Answer]) -> list[str | None]:
    """What is wrong with each draft by all examples, those that nobody saw included."""
    return findings(
        [(a.text, q.name, q.examples + q.checks) for q, a in zip(questions, answers, strict=True)]
    )


def shown_faults(questions: Sequence[Question], answers: Sequence[Answer]) -> list[str | None]:
    """What the spec's own examples find, which is all that a forge knows."""
    return findings([(a.text, q.name, q.examples) for q, a in zip(questions, answers, strict=True)])


def chosen(questions: Sequence[Question], samples: Sequence[Sequence[Answer]]) -> list[Answer]:
    """For each question the first sample that passes the spec's examples, else the first of all."""
    picked = list(samples[0])
    wrong = shown_faults(questions, picked)
    for sample in samples[1:]:
        for place, fault in enumerate(shown_faults(questions, sample)):
            if wrong[place] is not None and fault is None:
                picked[place], wrong[place] = sample[place], None
    return picked


def repairs(questions: Sequence[Question], answers: Sequence[Answer]) -> list[Question]:
    """For each draft that fails the spec's examples the chat that asks for a repair."""
    found = []
    for q, answer, fault in zip(questions, answers, shown_faults(questions, answers), strict=True):
        if fault is not None:
            more = (
                {"role": "assistant", "content": answer.text},
                {"role": "user", "content": repair_request(fault)},
            )
            found.append(replace(q, split="repair", messages=q.messages + more))
    return found


def is_right(question: Question, answer: Answer) -> bool:
    """Whether words hold the value, or the one call is the one that was meant."""
    if question.use is None:
        return question.value in answer.text
    return list(answer.calls) == [(question.use.tool.name, question.use.arguments)]
