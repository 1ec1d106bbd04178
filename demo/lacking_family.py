"""A family of specs that the starter model has never seen, and the owner's own solutions.

It is the owner's way to charge for a ride. The owner's tools and the held-out specs share neither a
function (a combination of constants) nor a phrase.
"""

import zlib
from collections.abc import Mapping
from random import Random
from typing import Any

EXAMPLES = 6
PARAMETER = "km"
DOC = "Charge {base} and {each} per km."
CODE = "{base} + {each} * km"
OWNED_PHRASES = (
    "The fare for km: {base} to start, then {each} per km.",
    "Fare: a ride starts at {base}, each km is {each}.",
    "House fare of a ride: {base} at once, another {each} per km.",
    "A ride costs {base}, and {each} more per km.",
    "Work out the fare. Base {base}, {each} for each km on top.",
    "The fare is {base}, with {each} for every km after that.",
    "Take {base} for a ride and {each} more for each km.",
    "A ride is {base}. Any km costs {each}.",
    "Fare of the ride: {base} flat, {each} a km from there.",
    "Ask {base} for the ride, and ask {each} per km.",
    "Compute a fare from the start price {base} and the km price {each}.",
    "Rides begin with {base}. Add {each} for every km.",
)
HELDOUT_PHRASES = (
    "Price a ride: {base} as base fare, {each} for every single km.",
    "What is the fare of a ride? Pay {base} first, then pay {each} a km.",
    "Fare table: base {base}, per km {each}.",
)
OWNED_NAMES = (
    *("swimmers", "riders", "bakers", "pilots", "singers", "dancers", "runners", "painters"),
    *("north", "south", "river", "harbor", "castle", "forest", "market", "station", "meadow"),
    *("monday", "friday", "winter", "summer", "evening", "morning", "spring", "autumn"),
    *("red_team", "blue_team", "first_class", "second_class", "night_shift", "day_shift"),
    *("school", "club", "office", "museum", "garden", "village", "island", "valley", "bridge"),
    *("bus", "ferry", "taxi", "tram", "train", "boat", "coach", "shuttle", "cab", "metro"),
)
HELDOUT_NAMES = (
    *("teachers", "drivers", "guests", "players", "cooks", "east", "west", "mill", "tower"),
    *("sunday", "weekend", "noon", "green_team", "third_class", "late_shift", "library"),
    *("hotel", "factory", "airport", "theatre", "campus", "lake"),
)

Constants = Mapping[str, int]


def draw(seed: int, train: bool, count: int) -> list[dict[str, Any]]:
    """Draw specs: the owner's (`train`) or held-out ones.

    Each is {name, description, examples: [{arguments, result}], source}; no name and no function
    twice. Raises ValueError when more is asked for than there are names.
    """
    rng = Random(f"{seed}/{train}")
    names = OWNED_NAMES if train else HELDOUT_NAMES
    if count > len(names):
        raise ValueError(f"at most {len(names)} specs")
    found: dict[str, dict[str, Any]] = {}
    for name in rng.sample(names, count):
        constants = _constants(rng)
        while is_owned(constants) != train or str(constants) in found:
            constants = _constants(rng)
        found[str(constants)] = _spec(rng, f"fare_{name}", constants, train)
    return list(found.values())


def is_owned(constants: Constants) -> bool:
    """Tell on which side a function lies; two in three are the owner's."""
    return zlib.crc32(f"fare{sorted(constants.items())}".encode()) % 3 != 0


def _constants(rng: Random) -> Constants:
    return {"base": rng.randint(11, 90), "each": rng.randint(2, 9)}


def _spec(rng: Random, name: str, constants: Constants, train: bool) -> dict[str, Any]:
    phrase = rng.choice(OWNED_PHRASES if train else HELDOUT_PHRASES)
    head = f"def {name}({PARAMETER}: int) -> int"
    doc, code = (text.format(**constants) for text in (DOC, CODE))
    lengths = rng.sample(range(1, 60), EXAMPLES)
    source = f'{head}:\n    """{doc}"""\n    return {code}'
    scope: dict[str, Any] = {}
    exec(source, scope)  # noqa: S102 - the owner's own solution, which says what is right
    return {
        "name": name,
        "description": phrase.format(**constants),
        "examples": [{"arguments": {PARAMETER: km}, "result": scope[name](km)} for km in lengths],
        "source": source,
    }
