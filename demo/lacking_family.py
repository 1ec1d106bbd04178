"""Families of specs that the starter model has never seen, and the owner's own solutions.

The owner's tools and the held-out specs of a family share neither a function (a combination of
constants) nor a phrase.
"""

import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from random import Random
from typing import Any

EXAMPLES = 6
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


@dataclass(frozen=True)
class LackingFamily:
    """One family: texts with the constants in braces; `first` and `second` are their ranges."""

    key: str
    parameter: str
    first: tuple[str, int, int]
    second: tuple[str, int, int]
    doc: str
    code: str
    owned_phrases: tuple[str, ...]
    heldout_phrases: tuple[str, ...]

    def draw(self, seed: int, train: bool, count: int) -> list[dict[str, Any]]:
        """Draw specs: the owner's (`train`) or held-out ones.

        Each is {name, description, examples: [{arguments, result}], source}; no name and no
        function twice. Raises ValueError when more is asked for than there are names.
        """
        rng = Random(f"{seed}/{train}")
        names = OWNED_NAMES if train else HELDOUT_NAMES
        if count > len(names):
            raise ValueError(f"at most {len(names)} specs")
        found: dict[str, dict[str, Any]] = {}
        for name in rng.sample(names, count):
            constants = self._constants(rng)
            while self.is_owned(constants) != train or str(constants) in found:
                constants = self._constants(rng)
            found[str(constants)] = self._spec(rng, f"{self.key}_{name}", constants, train)
        return list(found.values())

    def is_owned(self, constants: Constants) -> bool:
        """Tell on which side a function lies; two in three are the owner's."""
        return zlib.crc32(f"{self.key}{sorted(constants.items())}".encode()) % 3 != 0

    def _constants(self, rng: Random) -> Constants:
        return {name: rng.randint(low, high) for name, low, high in (self.first, self.second)}

    def _spec(self, rng: Random, name: str, constants: Constants, train: bool) -> dict[str, Any]:
        phrase = rng.choice(self.owned_phrases if train else self.heldout_phrases)
        head = f"def {name}({self.parameter}: int) -> int"
        doc, code = (text.format(**constants) for text in (self.doc, self.code))
        given = rng.sample(range(1, 60), EXAMPLES)
        source = f'{head}:\n    """{doc}"""\n    return {code}'
        scope: dict[str, Any] = {}
        exec(source, scope)  # noqa: S102 - the owner's own solution, which says what is right
        return {
            "name": name,
            "description": phrase.format(**constants),
            "examples": [
                {"arguments": {self.parameter: value}, "result": scope[name](value)}
                for value in given
            ],
            "source": source,
        }


FARE = LackingFamily(
    key="fare",
    parameter="km",
    first=("base", 11, 90),
    second=("each", 2, 9),
    doc="Charge {base} and {each} per km.",
    code="{base} + {each} * km",
    owned_phrases=(
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
    ),
    heldout_phrases=(
        "Price a ride: {base} as base fare, {each} for every single km.",
        "What is the fare of a ride? Pay {base} first, then pay {each} a km.",
        "Fare table: base {base}, per km {each}.",
    ),
)
TANK = LackingFamily(
    key="tank",
    parameter="hours",
    first=("full", 300, 900),
    second=("each", 2, 9),
    doc="Start with {full} and lose {each} per hour, never below zero.",
    code="max(0, {full} - {each} * hours)",
    owned_phrases=(
        "Litres left in a tank of {full} that loses {each} an hour.",
        "A tank holds {full} and leaks {each} each hour. What is left?",
        "What remains of {full} litres when {each} run out per hour?",
        "The tank starts at {full}. Every hour takes {each}. It never holds less than nothing.",
        "Level of the tank after some hours: {full} at first, {each} less per hour.",
        "Tell the level of a tank with {full} in it and a leak of {each} per hour.",
        "From {full} litres {each} go every hour; give the rest.",
        "The tank has {full}, and each hour {each} leave it.",
        "How full is the tank? It had {full} and lost {each} per hour.",
        "Work out what a tank of {full} still holds at a loss of {each} an hour.",
        "Tank: {full} to begin with, {each} gone every hour.",
        "A leak of {each} an hour empties a tank of {full}. Return what is left.",
    ),
    heldout_phrases=(
        "Tank level: starts with {full}, drops by {each} each hour.",
        "A tank of {full} litres leaks {each} litres per hour; how much is in it still?",
        "Return what is left in a tank that held {full} and loses {each} every hour.",
    ),
)
PRIZE = LackingFamily(
    key="prize",
    parameter="points",
    first=("goal", 11, 40),
    second=("bonus", 50, 99),
    doc="Double the points; from {goal} on add {bonus}.",
    code="2 * points + ({bonus} if points >= {goal} else 0)",
    owned_phrases=(
        "The prize is twice the points, and {bonus} more from {goal} points on.",
        "Prize: double the points. Who has {goal} or more gets {bonus} on top.",
        "Pay two per point, with a bonus of {bonus} at {goal} points or above.",
        "Each point is worth two; at {goal} points there is {bonus} extra.",
        "Double the points for the prize and add {bonus} once {goal} is reached.",
        "Work out the prize: points times two, plus {bonus} if there are at least {goal}.",
        "Two for every point. From {goal} points on another {bonus}.",
        "A prize of twice the points; reaching {goal} adds {bonus}.",
        "Give double the points, and {bonus} besides to who made {goal}.",
        "The prize doubles the points. {goal} points earn {bonus} extra.",
        "Points count twice for the prize, and {goal} of them bring {bonus} more.",
        "Compute a prize: two a point and {bonus} for reaching {goal}.",
    ),
    heldout_phrases=(
        "Prize money: two for each point, {bonus} extra for {goal} points or more.",
        "What is the prize? Twice the points, plus {bonus} when points are {goal} or more.",
        "Prize of double points; add {bonus} at {goal} and above.",
    ),
)
FAMILIES = (FARE, TANK, PRIZE)
