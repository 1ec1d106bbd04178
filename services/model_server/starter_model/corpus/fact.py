"""Facts that people tell and documents hold: a statement, a question, and what answers it."""

import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from random import Random
from string import Template

from services.model_server.starter_model.corpus.carrier import capital
from services.model_server.starter_model.corpus.holdout import Holdout, is_held, pick
from services.model_server.starter_model.corpus.wording import words
from services.model_server.starter_model.corpus.words import NAMES, PLAIN, coin

TABLES = Path(__file__).parent / "facts"
RELATIVES, MONTHS, DAYS, COLOURS = (
    words("people", key) for key in ("relatives", "months", "days", "colours")
)
SPOTS, PLANS, JOBS, THINGS = (words("people", key) for key in ("spots", "plans", "jobs", "things"))
KNOWN = [*NAMES, *words("people", "called"), *(word.capitalize() for word in PLAIN)]


@dataclass(frozen=True)
class Fact:
    """One fact: who tells it how, how it is asked for, what answers it."""

    kind: str
    subject: str
    statement: str
    question: str
    answer: str
    value: str
    document: bool = False


def fresh(rng: Random, held: bool) -> str:
    """Return a name with a capital: known or made up."""
    if rng.random() < 0.65:
        return pick(rng, KNOWN, held)
    return coin(rng, held).capitalize()


def value(rng: Random, kind: str, held: bool) -> str:
    """Draw a value of one kind on the wanted side of the hold-out."""
    for _ in range(200):
        drawn = _value(rng, kind, held)
        if is_held(drawn) == held:
            return drawn
    raise ValueError(f"no value of {kind} on that side")


def _value(rng: Random, kind: str, held: bool) -> str:
    plain = rng.choice(PLAIN)
    odd = coin(rng, held) if rng.random() < 0.35 else rng.choice(PLAIN)
    made = {
        "name": lambda: fresh(rng, held),
        "city": lambda: fresh(rng, held),
        "maker": lambda: fresh(rng, held),
        "day": lambda: f"{rng.randint(1, 30)} {rng.choice(MONTHS)}",
        "thing": lambda: rng.choice((odd, f"{plain} {odd}", rng.choice(COLOURS), plain)),
        "food": lambda: rng.choice((odd, plain, f"{odd} nuts")),
        "job": lambda: rng.choice(
            (f"{rng.choice(JOBS)} in {odd.capitalize()}", f"{plain} {rng.choice(JOBS)}")
        ),
        "time": lambda: (
            f"{rng.choice(DAYS)} at {rng.randint(7, 20)}:{rng.choice(('00', '15', '30', '45'))}"
        ),
        "clock": lambda: f"{rng.randint(6, 11)}:{rng.randint(10, 59)}",
        "code": lambda: rng.choice(
            (str(rng.randint(10, 99999)), f"{odd[0].upper()}{rng.randint(10, 999)}")
        ),
        "place": lambda: (
            f"{rng.choice(('in', 'behind', 'under', 'on'))} the "
            f"{rng.choice((plain, odd, *COLOURS))} {rng.choice(SPOTS)}"
        ),
        "plan": lambda: f"{rng.choice(PLANS)} the {rng.choice((odd, plain))} {rng.choice(PLAIN)}",
        "number": lambda: str(rng.randint(2, 999)),
        "year": lambda: str(rng.randint(1400, 2025)),
    }
    return made[kind]()


@cache
def _kinds(table: str) -> dict[str, dict[str, object]]:
    return tomllib.loads((TABLES / f"{table}.toml").read_text())


def kind_names() -> list[str]:
    """Return the kinds of facts that people tell."""
    return list(_kinds("kinds"))


def owner(rng: Random, held: bool) -> str:
    """Return somebody other than the user: `my sister`, `Anna`."""
    return f"my {rng.choice(RELATIVES)}" if rng.random() < 0.6 else fresh(rng, held)


def _grammar(who: str | None) -> dict[str, str]:
    if who is None:
        words = {
            "my": "my",
            "your": "your",
            "i": "I",
            "s": "",
            "es": "",
            "am": "am",
            "have": "have",
            "me": "me",
            "p": "",
        }
    else:
        other = who.replace("my ", "your ")
        words = {
            "my": f"{who}'s",
            "your": f"{other}'s",
            "i": who,
            "s": "s",
            "es": "es",
            "am": "is",
            "have": "has",
            "me": who,
            "p": "s",
        }
    return words | {"My": capital(words["my"]), "Your": capital(words["your"])}


def personal(
    rng: Random,
    holdout: Holdout,
    kind: str | None = None,
    topic: str | None = None,
    who: str | None = None,
) -> Fact:
    """Draw a fact that a person tells; `who` is None for the user's own."""
    kind = kind or rng.choice(kind_names())
    row = _kinds("kinds")[kind]
    topic = topic or rng.choice(_list(row["topics"]))
    drawn = value(rng, str(row["value"]), holdout.value)
    words = _grammar(who) | {"t": topic, "v": drawn}
    say, ask = (_choose(rng, row[role], holdout.phrase) for role in ("state", "ask"))
    return Fact(
        kind,
        f"{who}/{kind}/{topic}",
        capital(_fill(say, words)),
        _fill(ask, words),
        _fill(str(row["answer"]), words),
        drawn,
    )


def documented(rng: Random, holdout: Holdout) -> Fact:
    """Draw a fact that a document holds; its answer quotes the line."""
    kind = rng.choice(list(_kinds("notes")))
    row = _kinds("notes")[kind]
    thing = rng.choice(THINGS)
    made = fresh(rng, holdout.value)
    name = rng.choice(
        (
            f"the {made} {thing}",
            f"the {thing} {made}",
            f"the {thing} of {made}",
            f"the {rng.choice(COLOURS)} {thing}",
        )
    )
    words = {"n": name, "N": capital(name), "v": value(rng, str(row["value"]), holdout.value)}
    line = _fill(rng.choice(_list(row["line"])), words)
    question = _fill(_choose(rng, row["ask"], holdout.phrase), words)
    return Fact(kind, name, line, question, f"The notes say: {line}", words["v"], True)


def _fill(template: str, words: dict[str, str]) -> str:
    return Template(template).substitute(words)


def _list(value_: object) -> list[str]:
    assert isinstance(value_, list)
    return [str(item) for item in value_]


def _choose(rng: Random, options: object, held: bool) -> str:
    listed = _list(options)
    return listed[-1] if held else rng.choice(listed[:-1])
