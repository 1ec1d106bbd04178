"""JSON as this service takes it: strict when read, strict when compared."""

import json
import math
from typing import TypeAlias, cast

JsonValue: TypeAlias = "bool | int | float | str | list[JsonValue] | dict[str, JsonValue] | None"

MAX_DEPTH = 64  # far below the interpreter's recursion limit, for repr() and comparison


class NotJsonError(ValueError):
    """The text is no JSON that this service takes; the message says why."""


def parse(text: str) -> JsonValue:
    """The value of a JSON text.

    Stricter than `json.loads`: no NaN or infinities, no key twice, at most `MAX_DEPTH` levels.
    Raises NotJsonError.
    """
    try:
        value = json.loads(
            text, parse_constant=_refuse, parse_float=_finite, object_pairs_hook=_unique
        )
    except RecursionError:
        raise NotJsonError("nested too deeply") from None
    except NotJsonError:
        raise
    except ValueError as error:
        raise NotJsonError(str(error)) from None
    if _deeper_than(value, MAX_DEPTH):
        raise NotJsonError("nested too deeply")
    return cast(JsonValue, value)


def same(left: JsonValue, right: JsonValue) -> bool:
    """Equality that tells types apart at every level: 1, 1.0 and True all differ."""
    if type(left) is not type(right):
        return False
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(map(same, left, right))
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(same(left[key], right[key]) for key in left)
    return left == right


def _refuse(constant: str) -> float:
    raise NotJsonError(f"{constant} is no JSON value")


def _finite(digits: str) -> float:
    number = float(digits)
    if not math.isfinite(number):
        raise NotJsonError(f"{digits} is out of range")
    return number


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise NotJsonError("an object has the same key twice")
    return members


def _deeper_than(value: object, limit: int) -> bool:
    level = [value]
    for _ in range(limit):
        level = [child for parent in level for child in _children(parent)]
        if not level:
            return False
    return True


def _children(value: object) -> list[object]:
    if isinstance(value, dict):
        return list(value.values())
    return value if isinstance(value, list) else []
