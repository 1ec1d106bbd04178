"""Phrases: choices written as <a|b> are drawn, and arguments are spoken of in many ways."""

import re
from functools import cache
from random import Random

from services.model_server.starter_model.corpus.wording import table

CHOICE = re.compile(r"<([^<>]*\|[^<>]*)>")

TABLE = table("speech")
SINGLE, PLURAL = (
    frozenset(" ".join(groups.values()).split()) for groups in table("names")["nouns"].values()
)
REPLACED = 0.35  # share of the words with synonyms that are replaced


def group_of(kind: str) -> str:
    """Return the group of an argument kind: str, list, words, int, dict, matrix, bool or date."""
    return next((group for group, kinds in TABLE["groups"].items() if kind in kinds), "int")


def speech_of(kind: str) -> str:
    """Return the group by which an argument is spoken of."""
    return "numbers" if group_of(kind) == "list" and "int" in kind else group_of(kind)


def expand(rng: Random, template: str) -> str:
    """Draw every choice of a template, the innermost first."""
    while CHOICE.search(template):
        template = CHOICE.sub(lambda match: rng.choice(match.group(1).split("|")), template)
    return re.sub(r"  +", " ", template).strip()


@cache
def _synonyms(kind: str) -> tuple[tuple[re.Pattern[str], tuple[str, ...]], ...]:
    head = "^" if kind == "verbs" else r"(?<![\w$-])"
    groups = [tuple(group.split("|")) for group in table("synonyms")[kind]]
    return tuple(
        (re.compile(rf"{head}(?:{'|'.join(map(re.escape, group))})(?![\w-])"), group)
        for group in groups
    )


def vary(rng: Random, phrase: str, held: str) -> str:
    """Replace some words by synonyms, as long as that is not a way to say `held`, a template."""
    varied = phrase
    for pattern, group in (*_synonyms("verbs"), *_synonyms("words")):
        if rng.random() < REPLACED:
            varied = pattern.sub(rng.choice(group), varied)
    return phrase if says(held, varied) else varied


def says(template: str, phrase: str) -> bool:
    """Tell whether a phrase, its slots not yet filled, is one of a template's expansions."""
    return re.fullmatch(_pattern(template), phrase) is not None


@cache
def _pattern(template: str) -> str:
    marks = {"<": "(?:", ">": ")", "|": "|"}
    return "".join(marks.get(char, re.escape(char)) for char in template)


def is_sentence(template: str) -> bool:
    """Tell whether a phrase is a whole request, which needs no carrier."""
    return template.endswith((".", "?"))


def _options(group: str, name: str, held: bool, alone: bool) -> list[str]:
    """Return the ways to speak of a parameter; one of several of its group goes by its name."""
    for side, nouns in (("single", SINGLE), ("plural", PLURAL)):
        if name in nouns and not held:
            own = list(TABLE["noun"][side])
            return own[:2] if not alone else own + list(TABLE["trained"][group])[:3]
    if not alone:
        return ["{p}", "{p}", "`{p}`"]
    return list(TABLE["held" if held else "trained"][group])


def speak(
    rng: Random, arguments: dict[str, str], kinds: dict[str, str], held: bool
) -> dict[str, str]:
    """Say for each argument slot how a description calls it.

    Two arguments of one group are told apart by their names.
    """
    groups = [speech_of(kind) for kind in kinds.values()]
    spoken = {}
    for slot, name in arguments.items():
        group = speech_of(kinds[slot])
        side = held and rng.random() < 0.5
        options = _options(group, name, side, groups.count(group) == 1)
        spoken[slot] = rng.choice(options).replace("{p}", name)
    return spoken
