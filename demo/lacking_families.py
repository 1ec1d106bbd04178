"""Specs of families that the starter model has never seen, and the owner's own solutions.

They belong to a house with customs of its own: how it grades, what it charges, how it labels. The
owner's tools and the held-out specs share neither a function (a combination of constants) nor a
phrase.
"""

import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any

EXAMPLES = 6
LABELS = (
    *("gold", "silver", "bronze", "amber", "ruby", "pearl", "crimson", "ivory", "jade", "coral"),
    *("plum", "olive", "copper", "steel", "birch", "maple", "falcon", "otter", "lynx", "raven"),
    *("heron", "badger"),
)
MARKS = ["<<", ">>", "**", "==", "~~", "##", "++", "[[", "]]", "::", "||", "^^", "--", "@@"]
OWNED_NAMES = (
    *("swimmers", "riders", "bakers", "pilots", "singers", "dancers", "runners", "painters"),
    *("north", "south", "river", "harbor", "castle", "forest", "market", "station", "meadow"),
    *("monday", "friday", "winter", "summer", "evening", "morning", "spring", "autumn"),
    *("red_team", "blue_team", "first_class", "second_class", "night_shift", "day_shift"),
    *("school", "club", "office", "museum", "garden", "village", "island", "valley", "bridge"),
)
HELDOUT_NAMES = (
    *("teachers", "drivers", "guests", "players", "cooks", "east", "west", "mill", "tower"),
    *("sunday", "weekend", "noon", "green_team", "third_class", "late_shift", "library"),
    *("hotel", "factory", "airport", "theatre", "campus", "lake"),
)
OWNERS = ("anna", "ben", "carla", "david", "emma", "frank", "greta", "hugo", "ida", "jonas", "lena")

Constants = Mapping[str, Any]


@dataclass(frozen=True)
class Family:
    """One family: constants by name, code and phrases with {constants}, its parameter's values."""

    key: str
    parameter: str
    kind: str
    result: str
    constants: Callable[[Random], Constants]
    code: str
    doc: str
    owned: Sequence[str]
    heldout: Sequence[str]
    argument: Callable[[Random, Constants], Any]


def _grades(rng: Random) -> Constants:
    first, second = rng.sample(LABELS, 2)
    return {"limit": rng.randint(10, 90), "a": first, "b": second}


def _fares(rng: Random) -> Constants:
    return {"base": rng.randint(2, 30), "each": rng.randint(2, 9), "free": rng.randint(2, 20)}


def _badges(rng: Random) -> Constants:
    left, right = rng.sample(MARKS, 2)
    return {"left": left, "right": right}


FAMILIES = (
    Family(
        "grade",
        "points",
        "int",
        "str",
        _grades,
        "{a!r} if points >= {limit} else {b!r}",
        "Grade {a} from {limit}, else {b}.",
        (
            "Grade the points: {a!r} from {limit}, {b!r} below.",
            "House grades: {a!r} for {limit} points or more, {b!r} for fewer.",
            "A grade for the points. {a!r} starts at {limit}, the rest is {b!r}.",
            "The grade is {a!r} from {limit} points on, else {b!r}.",
            "Grading: {a!r} from {limit} up, otherwise {b!r}.",
            "The points have a grade: {a!r} for {limit} and up, or {b!r}.",
        ),
        (
            "Give out grades: {a!r} at {limit} points, under that {b!r}.",
            "Which grade is it? {a!r} needs {limit}, others get {b!r}.",
            "Grade table: {a!r} {limit}, lower {b!r}.",
        ),
        lambda rng, c: rng.choice((c["limit"], c["limit"] - 1, rng.randint(0, 110))),
    ),
    Family(
        "fare",
        "km",
        "int",
        "int",
        _fares,
        "{base} + {each} * max(0, km - {free})",
        "Charge {base} and {each} per km beyond {free}.",
        (
            "The fare for km: {base} to start, {free} km free, then {each} per km.",
            "Fare: a ride starts at {base}, {free} km are free, each further km is {each}.",
            "House fare of a ride: {base} at once, after {free} km another {each} per km.",
            "A ride costs {base}; beyond {free} km it costs {each} more per km.",
            "Work out the fare. Base {base}, {free} km included, {each} for each km on top.",
            "The fare is {base}, with {free} km included and {each} for every km after that.",
        ),
        (
            "Price a ride: {base} as base fare, {free} km at no charge, {each} for every extra km.",
            "What is the fare of a ride? Pay {base} first; past {free} km, pay {each} a km.",
            "Fare table: base {base}, free km {free}, per km {each}.",
        ),
        lambda rng, c: rng.choice((rng.randint(0, c["free"]), c["free"] + rng.randint(1, 30))),
    ),
    Family(
        "badge",
        "owner",
        "str",
        "str",
        _badges,
        "{left!r} + owner.upper() + {right!r}",
        "Write the owner as a badge with {left} and {right}.",
        (
            "A badge for the owner: {left!r} at the left, {right!r} at the right.",
            "House badge of the owner, {left!r} on the left side and {right!r} on the right side.",
            "Make the badge of an owner with {left!r} to the left and {right!r} to the right.",
            "The badge opens with {left!r}, shows the owner and closes with {right!r}.",
            "Print a badge: left {left!r}, the owner, right {right!r}.",
            "Badge of the owner; its left edge is {left!r}, its right edge is {right!r}.",
        ),
        (
            "Design a badge with the edges {left!r} and {right!r} around its owner.",
            "Hand the owner a badge whose left end is {left!r} and whose right end is {right!r}.",
            "Badge layout: {left!r}, owner, {right!r}.",
        ),
        lambda rng, _: rng.choice(OWNERS),
    ),
)
ACTIVE: Sequence[str] = ("grade", "fare", "badge")


def is_owned(family: Family, constants: Constants) -> bool:
    """Tell on which side a function lies; two in three are the owner's."""
    return zlib.crc32(f"{family.key}{sorted(constants.items())}".encode()) % 3 != 0


def draw(seed: int, train: bool, count: int) -> list[dict[str, Any]]:
    """Draw specs of the active families in turn: the owner's (`train`) or held-out ones.

    Each is {name, description, examples: [{arguments, result}], source, family}; no name twice.
    Raises ValueError when more is asked for than there are names.
    """
    rng = Random(f"{seed}/{train}")
    families = [family for family in FAMILIES if family.key in ACTIVE]
    found: dict[str, dict[str, Any]] = {}
    names = len(OWNED_NAMES if train else HELDOUT_NAMES) * len(families)
    if count > names:
        raise ValueError(f"at most {names} specs")
    while len(found) < count:
        family = families[len(found) % len(families)]
        constants = family.constants(rng)
        if is_owned(family, constants) == train:
            spec = _spec(rng, family, constants, train)
            found.setdefault(str(spec["name"]), spec)
    return list(found.values())


def _spec(rng: Random, family: Family, constants: Constants, train: bool) -> dict[str, Any]:
    name = f"{family.key}_{rng.choice(OWNED_NAMES if train else HELDOUT_NAMES)}"
    phrase = rng.choice(family.owned if train else family.heldout)
    head = f"def {name}({family.parameter}: {family.kind}) -> {family.result}"
    doc, code = (text.format(**constants) for text in (family.doc, family.code))
    source = f'{head}:\n    """{doc}"""\n    return {code}'
    return {
        "name": name,
        "description": phrase.format(**constants),
        "examples": _examples(rng, family, constants, source, name),
        "source": source,
        "family": family.key,
    }


def _examples(
    rng: Random, family: Family, constants: Constants, source: str, name: str
) -> list[dict[str, Any]]:
    scope: dict[str, Any] = {}
    exec(source, scope)  # noqa: S102 - written here, a line above
    arguments: dict[str, Any] = {}
    while len(arguments) < EXAMPLES:
        drawn = family.argument(rng, constants)
        arguments[repr(drawn)] = drawn
    return [
        {"arguments": {family.parameter: value}, "result": scope[name](value)}
        for value in arguments.values()
    ]
