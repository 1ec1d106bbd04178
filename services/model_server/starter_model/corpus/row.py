"""Rows: chat messages whose last one is to be learnt, of all registers in fixed shares."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from random import Random

from services.model_server.starter_model.corpus import (
    composition,
    conversation,
    drill,
    family,
    own,
    reading,
    repair,
    tool_use,
)
from services.model_server.starter_model.corpus.carrier import capital
from services.model_server.starter_model.corpus.conversation import Message
from services.model_server.starter_model.corpus.holdout import TRAIN, Holdout
from services.model_server.starter_model.corpus.persona import PROMPTS, system
from services.model_server.starter_model.corpus.signature import repair_request
from services.model_server.starter_model.corpus.spec import (
    Spec,
    UnusableDrawError,
    failing,
    finding,
)

SHARES = {
    "draft": 60,
    "composition": 9,
    "usual": 4,
    "second": 3,
    "repair": 14,
    "own": 16,
    "reread": 6,
    "chat": 34,
    "request": 6,
    "drill": 8,
    "call": 16,
    "called": 6,
    "uncalled": 4,
}


@dataclass(frozen=True)
class Row:
    """One training row: its register and its messages."""

    kind: str
    messages: tuple[Message, ...]


def rows(seed: int, count: int, holdout: Holdout = TRAIN, start: int = 0) -> Iterator[Row]:
    """Yield `count` rows from `start` on; the same seed gives the same rows, in the same order."""
    for number in range(start, start + count):
        yield row(Random(f"{seed}/{number}"), holdout)


def row(rng: Random, holdout: Holdout = TRAIN) -> Row:
    """Draw one row of a register, by the shares."""
    while True:
        kind = rng.choices(list(SHARES), list(SHARES.values()))[0]
        try:
            return Row(kind, tuple(_messages(rng, kind, holdout)))
        except UnusableDrawError:
            continue


def _messages(rng: Random, kind: str, holdout: Holdout) -> list[Message]:
    if kind in REGISTERS:
        return REGISTERS[kind](rng, holdout)
    if kind in ("usual", "second", "reread"):
        return reread(rng, kind, holdout)
    drawn = composition.draw_usable(rng, holdout) if kind == "composition" else spec(rng, holdout)
    if kind != "repair":
        return drafted(rng, drawn)
    broken = repair.draw(rng, drawn)
    if broken is None:
        raise UnusableDrawError("this way of breaking does not apply")
    return repaired(rng, broken)


def spec(rng: Random, holdout: Holdout) -> Spec:
    """Draw a spec of any family or composition; families with constants come up twice as often."""
    if rng.random() < 0.12:
        return composition.draw_usable(rng, holdout)
    known = family.families()
    chosen = rng.choice(known)
    if not chosen.consts and rng.random() < 0.5:
        chosen = rng.choice(known)
    return family.draw(rng, chosen, holdout)


def reread(rng: Random, kind: str, holdout: Holdout) -> list[Message]:
    """Draw a row over a description with two readings."""
    ambiguity = reading.draw(rng, rng.choice(reading.readings()), holdout, shown=kind == "second")
    if kind == "usual":
        return drafted(rng, reading.usual_spec(ambiguity))
    if kind == "second":
        return drafted(rng, ambiguity.spec)
    return repaired(rng, failure(ambiguity))


def failure(ambiguity: reading.Ambiguity) -> repair.Repair:
    """Return the usual reading as the failed code, with what was found.

    Raises UnusableDrawError when the usual reading passes.
    """
    wrong = failing(ambiguity.usual, ambiguity.spec)
    if wrong is None:
        raise UnusableDrawError("the usual reading passes")
    found = finding(ambiguity.usual, ambiguity.spec, wrong)
    return repair.Repair(ambiguity.spec, ambiguity.usual, found)


def smith(rng: Random) -> str:
    """Return the persona that forges: BRICK mostly."""
    return "BRICK" if rng.random() < 0.7 else rng.choice(list(PROMPTS))


def drafted(rng: Random, drawn: Spec) -> list[Message]:
    """Return a draft request and its answer."""
    return [
        {"role": "system", "content": PROMPTS[smith(rng)]},
        {"role": "user", "content": drawn.request},
        {"role": "assistant", "content": drawn.source},
    ]


def repaired(rng: Random, broken: repair.Repair) -> list[Message]:
    """Return a draft request, the failed code, the finding and the corrected code."""
    return [
        {"role": "system", "content": PROMPTS[smith(rng)]},
        {"role": "user", "content": broken.spec.request},
        {"role": "assistant", "content": broken.failed},
        {"role": "user", "content": repair_request(broken.finding)},
        {"role": "assistant", "content": broken.spec.source},
    ]


def request(rng: Random, drawn: Spec) -> list[Message]:
    """Ask for code in the middle of a conversation, in the draft's words or in free ones."""
    lines: list[conversation.Memory] = []
    if rng.random() < 0.4:
        kept = conversation.facts(rng, TRAIN, rng.randint(1, 2))
        lines = [conversation.remembered(rng, one) for one in kept]
    asked = drawn.request if rng.random() < 0.4 else _freely(rng, drawn)
    return [
        {"role": "system", "content": system(smith(rng), lines)},
        {"role": "user", "content": asked},
        {"role": "assistant", "content": drawn.source},
    ]


def _freely(rng: Random, drawn: Spec) -> str:
    head = drawn.head if rng.random() < 0.5 else drawn.head.removeprefix("def ")
    shapes = (
        f"Write a Python function: {drawn.description} Signature: {drawn.head}",
        f"Write a function {drawn.name}. {capital(drawn.description)} Start with {drawn.head}",
        f"{drawn.description}\n{head}",
        f"Please write {head}. Task: {drawn.description}",
        f"I need a Python function, {head}. {drawn.description}",
    )
    return rng.choice(shapes)


REGISTERS: dict[str, Callable[[Random, Holdout], list[Message]]] = {
    "chat": lambda rng, holdout: list(conversation.draw(rng, holdout).messages),
    "drill": lambda rng, _: drill.draw(rng),
    "own": lambda rng, _: own.draw(rng),
    "call": lambda rng, holdout: list(tool_use.draw(rng, holdout).messages),
    "called": tool_use.answered,
    "uncalled": lambda rng, holdout: tool_use.unneeded(
        rng, conversation.draw(rng, holdout).messages
    ),
    "request": lambda rng, holdout: request(rng, spec(rng, holdout)),
}
