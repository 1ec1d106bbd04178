"""JSON as this service takes it: strict when read, strict when compared."""

import json
import math
from functools import partial
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


def to_text(value: JsonValue) -> str:
    """The JSON text of a value; a lone surrogate in it stays escaped."""
    return json.dumps(value, allow_nan=False)


def same(
    left: JsonValue, right: JsonValue, *, relative: float = 0.0, absolute: float = 0.0
) -> bool:
    """Equality that tells types apart at every level: 1, 1.0 and True all differ.

    Only floats may be off from each other, by a share of the larger or by an absolute amount.
    """
    if type(left) is not type(right):
        return False
    near = partial(same, relative=relative, absolute=absolute)
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(map(near, left, right))
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(near(left[key], right[key]) for key in left)
    if isinstance(left, float) and isinstance(right, float):
        return math.isclose(left, right, rel_tol=relative, abs_tol=absolute)
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
