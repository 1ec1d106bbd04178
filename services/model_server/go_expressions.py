"""The values of Go templates: literals, fields, variables, functions and pipelines."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from services.model_server.go_lexer import TemplateError


@dataclass
class Scope:
    """What an expression can see: `.`, `$` and the variables, innermost last."""

    root: Any
    dot: Any
    frames: list[dict[str, Any]] = field(default_factory=lambda: [{}])

    def inner(self, dot: Any) -> Scope:
        """The scope inside a block."""
        return Scope(self.root, dot, [*self.frames, {}])

    def variable(self, name: str) -> Any:
        """A variable's value; TemplateError where it was never set."""
        if name == "$":
            return self.root
        return self._frame(name)[name]

    def assign(self, name: str, value: Any, *, declare: bool) -> None:
        """`:=` makes a variable in this block, `=` changes the one that is there."""
        frame = self.frames[-1] if declare else self._frame(name)
        frame[name] = value

    def _frame(self, name: str) -> dict[str, Any]:
        frame: dict[str, Any]
        for frame in reversed(self.frames):
            if name in frame:
                return frame
        raise TemplateError(f"undefined variable {name!r}")


@dataclass(frozen=True)
class Literal:
    """A number, a text, true, false or nil."""

    value: Any

    def value_in(self, _: Scope) -> Any:
        """Itself."""
        return self.value


@dataclass(frozen=True)
class Variable:
    """`$name`, or `$` for the data that the template was given."""

    name: str

    def value_in(self, scope: Scope) -> Any:
        """What it was set to."""
        return scope.variable(self.name)


@dataclass(frozen=True)
class Dot:
    """`.`"""

    def value_in(self, scope: Scope) -> Any:
        """The value that the block is about."""
        return scope.dot


@dataclass(frozen=True)
class Fields:
    """`.A.B` of another expression; what is not there is nil."""

    of: Expression
    names: tuple[str, ...]

    def value_in(self, scope: Scope) -> Any:
        """The field's value; TemplateError where the thing has no fields at all."""
        value = self.of.value_in(scope)
        for name in self.names:
            if value is not None and not isinstance(value, dict):
                raise TemplateError(f"can't evaluate field {name} in a {type(value).__name__}")
            value = (value or {}).get(name)
        return value


@dataclass(frozen=True)
class Call:
    """A function with its arguments; `and` and `or` evaluate no more than they need."""

    name: str
    arguments: tuple[Expression, ...]

    def value_in(self, scope: Scope) -> Any:
        """The function's result; TemplateError where the arguments do not suit it."""
        if self.name in ("and", "or"):
            return self._first_decisive(scope)
        values = [argument.value_in(scope) for argument in self.arguments]
        try:
            return FUNCTIONS[self.name](*values)
        except (TypeError, ValueError, LookupError) as error:
            raise TemplateError(f"error calling {self.name}: {error}") from error

    def _first_decisive(self, scope: Scope) -> Any:
        value: Any = None
        for argument in self.arguments:
            value = argument.value_in(scope)
            if truth(value) == (self.name == "or"):
                break
        return value


Expression = Literal | Variable | Dot | Fields | Call


class Record(dict[str, Any]):
    """A thing with Go's field names, which prints as the JSON that it came from."""

    def __init__(self, fields: dict[str, Any], source: Any) -> None:
        super().__init__(fields)
        self.source = source


def as_json(value: Any) -> str:
    """A value as JSON text; records as what they came from."""
    return json.dumps(_source(value), ensure_ascii=False)


def _source(value: Any) -> Any:
    if isinstance(value, Record):
        return value.source
    if isinstance(value, dict):
        return {key: _source(item) for key, item in value.items()}
    return [_source(item) for item in value] if isinstance(value, list) else value


def truth(value: Any) -> bool:
    """Go's: false, 0, nil and whatever is empty are false."""
    return bool(value)


def printed(value: Any) -> str:
    """A value as text in the output."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, dict | list):
        return as_json(value)
    return str(value)


def _equal(first: Any, *others: Any) -> bool:
    return any(first == other for other in others)


def _index(value: Any, *keys: Any) -> Any:
    for key in keys:
        value = value[key]
    return value


def _slice(value: Any, start: int = 0, end: int | None = None) -> Any:
    return value[start:end]


def _printf(pattern: str, *values: Any) -> str:
    texts = [printed(v) if isinstance(v, dict | list | bool) else v for v in values]
    return str(pattern.replace("%v", "%s").replace("%q", '"%s"') % tuple(texts))


FUNCTIONS: dict[str, Callable[..., Any]] = {
    "and": lambda *values: values[-1],
    "or": lambda *values: values[-1],
    "not": lambda value: not truth(value),
    "eq": _equal,
    "ne": lambda first, second: first != second,
    "lt": lambda first, second: first < second,
    "le": lambda first, second: first <= second,
    "gt": lambda first, second: first > second,
    "ge": lambda first, second: first >= second,
    "len": lambda value: len(value or ()),
    "index": _index,
    "slice": _slice,
    "print": lambda *values: "".join(map(printed, values)),
    "printf": _printf,
    "json": as_json,
    "currentDate": lambda: date.today().isoformat(),
}
