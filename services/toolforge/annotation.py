"""The type that an annotation means, read off its syntax: a source is never evaluated for it."""

import ast
from collections.abc import Sequence
from typing import Any, Literal, Optional, Union

_SCALARS: dict[str, Any] = {"str": str, "int": int, "float": float, "bool": bool, "None": None}
# A JSON array is a list, whatever the source would rather have.
_ARRAYS = {"list", "List", "Sequence", "Iterable", "Collection", "set", "Set", "frozenset"}
_OBJECTS = {"dict", "Dict", "Mapping", "MutableMapping"}
_TUPLES = {"tuple", "Tuple"}


def type_of_annotation(annotation: ast.expr | None) -> Any:
    """A type of the standard library's `typing`; Any for what has no counterpart in JSON."""
    try:
        return _type(annotation)
    except (TypeError, ValueError, SyntaxError, RecursionError, MemoryError):
        return Any


def _type(node: ast.expr | None) -> Any:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return _type(ast.parse(node.value, mode="eval").body)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr):
        return Union[_type(node.left), _type(node.right)]  # noqa: UP007 - made, not written
    if isinstance(node, ast.Subscript):
        parts = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
        return _generic(_word(node.value), parts) if parts else _plain(_word(node.value))
    return _plain(_word(node))


def _plain(word: str) -> Any:
    if word in _ARRAYS | _TUPLES:
        return list
    if word in _OBJECTS:
        return dict
    return _SCALARS.get(word, Any)


def _generic(word: str, parts: Sequence[ast.expr]) -> Any:
    found: Any = Any
    if word in _ARRAYS:
        found = list[_type(parts[0])]  # type: ignore[misc]
    elif word in _OBJECTS:
        found = dict[str, _type(parts[-1])]  # type: ignore[misc]
    elif word in _TUPLES:
        found = _tuple(parts)
    elif word == "Optional":
        found = Optional[_type(parts[0])]  # noqa: UP045
    elif word == "Union":
        found = Union[tuple(map(_type, parts))]  # noqa: UP007
    elif word == "Literal":
        values = [part.value for part in parts if isinstance(part, ast.Constant)]
        plain = tuple(v for v in values if isinstance(v, str | int | bool | None))
        found = Literal[plain] if plain else Any
    return found


def _tuple(parts: Sequence[ast.expr]) -> Any:
    if isinstance(parts[-1], ast.Constant) and parts[-1].value is Ellipsis:
        return list[_type(parts[0])]  # type: ignore[misc]
    return tuple[tuple(map(_type, parts))]  # type: ignore[misc]


def _word(node: ast.expr | None) -> str:
    if isinstance(node, ast.Attribute):
        return node.attr
    if isinstance(node, ast.Constant) and node.value is None:
        return "None"
    return node.id if isinstance(node, ast.Name) else ""
