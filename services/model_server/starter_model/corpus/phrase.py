"""Phrases: choices written as <a|b> are drawn, and arguments are spoken of in many ways."""

import re
from random import Random

CHOICE = re.compile(r"<([^<>]*\|[^<>]*)>")

GROUPS = {
    "str": {"text", "word", "longword", "shortword", "mixed", "alnum", "padded", "pal", "joined", "lines",
            "name", "letterarg", "binary", "digits", "csv", "keyvalue", "json", "recased", "emptytext", "mixedtext"},
    "date": {"date", "samedate"},
    "list": {"ints", "longints", "oddints", "dupints", "distinct", "sortedish", "sameish", "any", "longany",
             "bools", "emptyints", "floats"},
    "words": {"words", "dupwords", "mixedwords"},
    "dict": {"counts", "pairs"},
    "matrix": {"matrix", "square"},
    "bool": {"bool"},
}  # fmt: skip

SPEECH = {
    "str": ["the text", "a text", "the string", "a string", "the given text", "a given string", "the text `{p}`",
            "{p}", "`{p}`", "the string {p}", "the input", "some text", "the input string"],
    "date": ["the date", "a date", "{p}", "`{p}`", "the date {p}", "an ISO date", "the given date"],
    "list": ["the list", "a list", "the list {p}", "{p}", "`{p}`", "the given list", "a list of values", "the values",
             "the input list", "some list"],
    "numbers": ["the numbers", "a list of numbers", "the list", "the numbers in {p}", "{p}", "`{p}`", "the list {p}",
                "the given numbers", "some numbers", "a list of integers", "the list of numbers"],
    "words": ["the words", "a list of words", "the words in {p}", "{p}", "`{p}`", "the list of strings", "the strings",
              "the given words", "some words", "the list {p}"],
    "int": ["the number", "a number", "{p}", "`{p}`", "the number {p}", "an integer", "the given number", "the integer",
            "a given number"],
    "dict": ["the dictionary", "a dictionary", "{p}", "`{p}`", "the dictionary {p}", "the mapping", "the dict",
             "a given dictionary", "the table"],
    "matrix": ["the matrix", "a matrix", "{p}", "`{p}`", "the table", "a list of lists", "the grid {p}", "the rows"],
    "bool": ["{p}", "`{p}`", "the flag {p}", "the flag", "the truth value"],
}  # fmt: skip
HELD_SPEECH = {
    "str": ["the value of {p}", "any string", "the passed text"],
    "date": ["the passed date"],
    "list": ["the passed list", "all of {p}"],
    "numbers": ["the passed numbers", "the values of {p}"],
    "words": ["the passed words", "all words of {p}"],
    "int": ["the value of {p}", "the passed number"],
    "dict": ["the passed dictionary"],
    "matrix": ["the passed matrix"],
    "bool": ["the passed flag"],
}


def group_of(kind: str) -> str:
    """Return the group of an argument kind: str, list, words, int, dict, matrix, bool or date."""
    return next((group for group, kinds in GROUPS.items() if kind in kinds), "int")


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
        table = HELD_SPEECH if held and rng.random() < 0.5 else SPEECH
        options = table[group] if groups.count(group) == 1 else ["{p}", "{p}", "`{p}`"]
        spoken[slot] = rng.choice(options).replace("{p}", name)
    return spoken
