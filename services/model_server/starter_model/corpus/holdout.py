"""What is kept out of training, by rule and not by list."""

import zlib
from dataclasses import dataclass
from random import Random
from typing import TypeVar

T = TypeVar("T")
SHARE = 10  # one value in ten is held out


@dataclass(frozen=True)
class Holdout:
    """Which ingredients of a row come from the held-out side; the default is training."""

    phrase: bool = False
    carrier: bool = False
    name: bool = False
    value: bool = False


TRAIN = Holdout()
UNSEEN = Holdout(phrase=True, carrier=True, name=True, value=True)


def is_held(value: object) -> bool:
    """Tell whether a value (a name, a word, a number) is held out, from its text alone."""
    return zlib.crc32(str(value).encode()) % SHARE == 0


def side(items: list[T], held: bool) -> list[T]:
    """Return the items of one side; if that side is empty, all items."""
    return [item for item in items if is_held(item) == held] or items


def pick(rng: Random, items: list[T], held: bool) -> T:
    """Choose one item of the wanted side."""
    return rng.choice(side(items, held))
