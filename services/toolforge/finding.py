"""The one line that tells a model what is wrong with its code."""

from dataclasses import dataclass
from typing import TypeAlias

from services.toolforge.json_value import JsonValue
from services.toolforge.spec import Example

MAX_CHARACTERS = 300

Finding: TypeAlias = str


@dataclass(frozen=True)
class Raised:
    """An exception as the sandbox reports it; `line` is 0 where unknown. Hostile text."""

    type: str
    message: str
    line: int
    source_line: str


def static(line: int, text: str) -> Finding:
    """What a static check found in a line (1-based)."""
    return _one_line(f"line {line}: {text}")


def returned(name: str, example: Example, got: JsonValue) -> Finding:
    """The call gave another value than the example says."""
    return _one_line(f"{call(name, example)} returned {got!r} but must return {example.result!r}")


def raised(name: str, example: Example, error: Raised) -> Finding:
    """The call raised."""
    place = f" at line {error.line}: {error.source_line}" if error.line else ""
    return _one_line(f"{call(name, example)} raised {error.type}: {error.message}{place}")


def stopped(name: str, example: Example, how: str) -> Finding:
    """The sandbox ended the call; `how` is such as "timed out"."""
    return _one_line(f"{call(name, example)} {how}")


def call(name: str, example: Example) -> str:
    """The call as Python, arguments positional, such as `add(1, 2)`."""
    return f"{name}({', '.join(map(repr, example.arguments.values()))})"


def _one_line(text: str) -> Finding:
    return " ".join(text.splitlines())[:MAX_CHARACTERS]
