"""Phrases: choices written as <a|b> are drawn, and arguments are spoken of in many ways."""

import re
from random import Random

from services.model_server.starter_model.corpus.wording import table

CHOICE = re.compile(r"<([^<>]*\|[^<>]*)>")

TABLE = table("speech")


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
        side = "held" if held and rng.random() < 0.5 else "trained"
        options = TABLE[side][group] if groups.count(group) == 1 else ["{p}", "{p}", "`{p}`"]
        spoken[slot] = rng.choice(options).replace("{p}", name)
    return spoken
