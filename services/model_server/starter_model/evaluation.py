"""Evaluation sets: seeded questions of held-out kinds, and what makes an answer right."""

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random

from services.model_server.starter_model.corpus import (
    composition,
    conversation,
    family,
    reading,
    repair,
    tool_use,
)
from services.model_server.starter_model.corpus import row as corpus
from services.model_server.starter_model.corpus.holdout import TRAIN, UNSEEN, Holdout
from services.model_server.starter_model.corpus.persona import PROMPTS
from services.model_server.starter_model.corpus.signature import Example, draft_request, signature
from services.model_server.starter_model.corpus.spec import Spec, UnusableDrawError

EXAMPLES, CHECKS = 4, 4
FREE_FORM = Path(__file__).parent / "free_form.jsonl"
Message = dict[str, str]


@dataclass(frozen=True)
class Question:
    """A chat without its last answer. Right is code that passes, words with the value, or a call.

    `checks` are further examples, which nobody sees; they and `examples` must pass.
    """

    split: str
    messages: tuple[Message, ...]
    name: str = ""
    examples: tuple[Example, ...] = ()
    checks: tuple[Example, ...] = ()
    value: str = ""
    spec: Spec | None = None
    use: tool_use.Use | None = None
    tools: tuple[tool_use.Tool, ...] = ()


def evaluation_set(split: str, count: int, seed: int) -> list[Question]:
    """Return `count` questions of a split (see SPLITS); the same seed gives the same questions."""
    found: list[Question] = []
    number = 0
    while len(found) < count:
        rng = Random(f"{split}/{seed}/{number}")
        number += 1
        try:
            found.append(SPLITS[split](rng, split))
        except UnusableDrawError:
            continue
    return found


def _coded(split: str, messages: list[Message], spec: Spec) -> Question:
    return Question(split, tuple(messages[:-1]), spec.name, spec.examples, spec=spec)


def _draft(holdout: Holdout) -> Callable[[Random, str], Question]:
    def question(rng: Random, split: str) -> Question:
        whole = family.draw(rng, rng.choice(family.families()), holdout, examples=EXAMPLES + CHECKS)
        spec = replace(whole, examples=whole.examples[:EXAMPLES])
        question = _coded(split, corpus.drafted(rng, spec), spec)
        return replace(question, checks=whole.examples[EXAMPLES:])

    return question


def _composition(rng: Random, split: str) -> Question:
    spec = composition.draw_usable(rng, TRAIN, held=True)
    return _coded(split, corpus.drafted(rng, spec), spec)


def _repair(rng: Random, split: str) -> Question:
    spec = family.draw(rng, rng.choice(family.families()), UNSEEN)
    broken = repair.draw(rng, spec)
    if broken is None:
        raise UnusableDrawError("this way of breaking does not apply")
    return _coded(split, corpus.repaired(rng, broken), spec)


def _reread(rng: Random, split: str) -> Question:
    ambiguity = reading.draw(rng, rng.choice(reading.readings()), Holdout(phrase=True, name=True))
    broken = corpus.failure(ambiguity)
    return _coded(split, corpus.repaired(rng, broken), ambiguity.spec)


def _chat(
    kind: Callable[[Random, Holdout], conversation.Conversation],
) -> Callable[[Random, str], Question]:
    def question(rng: Random, split: str) -> Question:
        drawn = kind(rng, UNSEEN)
        return Question(split, drawn.messages[:-1], value=drawn.value)

    return question


def _call(rng: Random, split: str) -> Question:
    drawn = tool_use.draw(rng, Holdout(phrase=True, carrier=True))
    head, asked, _ = drawn.messages
    plain = {**head, "content": head["content"].removesuffix(tool_use.listing(drawn.tools))}
    return Question(split, (plain, asked), use=drawn.use, tools=drawn.tools)


def free_question(row: dict[str, object], split: str) -> Question:
    """Return the question of one {name, description, examples} row."""
    listed = row["examples"]
    assert isinstance(listed, list)
    parameters = list(listed[0]["arguments"])
    examples = tuple(Example(list(each["arguments"].values()), each["result"]) for each in listed)
    name, description = str(row["name"]), str(row["description"])
    request = draft_request(name, description, signature(name, parameters, examples), examples)
    head = {"role": "system", "content": PROMPTS["BRICK"]}
    return Question(split, (head, {"role": "user", "content": request}), name, examples)


def free_form() -> list[Question]:
    """Return every free-form request once: written by hand before any result was seen."""
    return [
        free_question(json.loads(line), "free_form") for line in FREE_FORM.read_text().splitlines()
    ]


SPLITS: dict[str, Callable[[Random, str], Question]] = {
    "seen": _draft(TRAIN),
    "carrier": _draft(Holdout(carrier=True)),
    "phrase": _draft(Holdout(phrase=True)),
    "both": _draft(Holdout(phrase=True, carrier=True)),
    "unseen": _draft(UNSEEN),
    "value": _draft(Holdout(value=True)),
    "composition": _composition,
    "repair": _repair,
    "reread": _reread,
    "recall": _chat(conversation.recall),
    "unknown": _chat(conversation.unknown),
    "told": _chat(conversation.told),
    "tell": _chat(conversation.tell),
    "note": _chat(conversation.note),
    "call": _call,
}
