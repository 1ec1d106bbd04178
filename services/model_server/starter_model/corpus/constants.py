"""Constants that a description states and the code must copy."""

from collections.abc import Callable
from random import Random

from services.model_server.starter_model.corpus.holdout import is_held
from services.model_server.starter_model.corpus.wording import words
from services.model_server.starter_model.corpus.words import PLAIN, coin, common

MARKS = [
    "-",
    "_",
    "*",
    "#",
    "+",
    "/",
    "|",
    "~",
    "=",
    ":",
    ";",
    ",",
    ".",
    "&",
    "@",
    "%",
    "--",
    "->",
    "**",
    "::",
    " - ",
    ", ",
]
SEPARATORS = ["-", "_", "/", "|", ":", ";", ",", "."]
FILLS = ["*", "-", ".", "_", "#", "=", "0", "+", "~", " "]
Constant = int | float | str


def number(rng: Random, held: bool, low: int, high: int) -> int:
    """Return a number of the wanted side, where the range has one."""
    drawn = rng.randint(low, high)
    for _ in range(60):
        if is_held(drawn) == held:
            return drawn
        drawn = rng.randint(low, high)
    return drawn


def _any_number(rng: Random, held: bool) -> int:
    low, high = rng.choice(((2, 9), (2, 20), (2, 99), (10, 99), (100, 999)))
    return number(rng, held, low, high)


def _affix(rng: Random, held: bool) -> str:
    shape = rng.choice(("{}", "{}-", "{}_", "{}: ", "{} ", "<{}", "{}>", "({}", "{}/", "#{}"))
    return shape.format(common(rng, held))


def _label(rng: Random, held: bool) -> str:
    drawn = common(rng, held) if rng.random() < 0.85 else coin(rng, held)
    return rng.choice((drawn, drawn, drawn.upper(), drawn.capitalize()))


KINDS: dict[str, Callable[[Random, bool], Constant]] = {
    "num": _any_number,
    "small": lambda rng, held: rng.randint(2, 5),
    "tiny": lambda rng, held: rng.randint(1, 3),
    "step": lambda rng, held: rng.randint(2, 4),
    "wordlen": lambda rng, held: rng.randint(4, 8),
    "digit": lambda rng, held: rng.randint(0, 9),
    "bit": lambda rng, held: rng.randint(0, 1),
    "bit1": lambda rng, held: rng.randint(1, 2),
    "ordinal": lambda rng, held: rng.randint(0, 1),
    "width": lambda rng, held: rng.randint(6, 15),
    "pct": lambda rng, held: number(rng, held, 1, 99),
    "low": lambda rng, held: number(rng, held, -9, 20),
    "high": lambda rng, held: number(rng, held, 21, 150),
    "letter": lambda rng, held: rng.choice("abcdefghijklmnopqrstuvwxyz"),
    "mark": lambda rng, held: rng.choice(MARKS),
    "mark2": lambda rng, held: rng.choice(MARKS),
    "sep": lambda rng, held: rng.choice(SEPARATORS),
    "fill": lambda rng, held: rng.choice(FILLS),
    "prefix": _affix,
    "suffix": lambda rng, held: rng.choice(("{}", " {}", "-{}", "{}")).format(common(rng, held)),
    "word": common,
    "word2": common,
    "label": _label,
    "label2": _label,
    "greeting": lambda rng, held: common(rng, held).capitalize(),
    "ratio": lambda rng, held: rng.randint(2, 999) / rng.choice((10, 100)),
    "lowhit": lambda rng, held: rng.randint(0, 9),
    "highhit": lambda rng, held: rng.randint(14, 30),
    "plain": lambda rng, held: rng.choice(PLAIN),
    "agelimit": lambda rng, held: number(rng, held, 6, 70),
    "passmark": lambda rng, held: number(rng, held, 30, 90),
    "peoplekey": lambda rng, held: rng.choice(("name", "age")),
    "sep2": lambda rng, held: rng.choice(SEPARATORS),
    "jsonkey": lambda rng, held: rng.choice(("size", "count")),
}

SPOKEN = words("names", "spoken")


def mention(rng: Random, value: Constant) -> str:
    """Write a constant as a description would: digits, now and then a word; texts in quotes."""
    if isinstance(value, int):
        return SPOKEN[value] if 2 <= value <= 10 and rng.random() < 0.12 else str(value)
    if isinstance(value, float):
        return str(value)
    return repr(value) if rng.random() < 0.75 else '"' + value + '"'
