"""The signature that a spec asks for, with types read off the JSON values of its examples."""

from collections.abc import Sequence

from services.toolforge.json_value import JsonValue
from services.toolforge.spec import Spec

_SCALARS = {bool: "bool", int: "int", float: "float", str: "str", type(None): "None"}
_MIXED = "object"


def signature_of(spec: Spec) -> str:
    """`def name(parameter: type, ...) -> type`, without a colon at its end."""
    parameters = ", ".join(
        f"{name}: {type_of([example.arguments[name] for example in spec.examples])}"
        for name in spec.parameters
    )
    result = type_of([example.result for example in spec.examples])
    return f"def {spec.name}({parameters}) -> {result}"


def type_of(values: Sequence[JsonValue]) -> str:
    """The Python type that covers all values; `object` where they have none in common.

    Ints beside floats are float, None beside one other type makes it optional; a list or dict
    that is empty or mixed stays bare.
    """
    kinds = {type(value) for value in values}
    if kinds == {int, float}:
        return "float"
    if len(kinds) > 1 and type(None) in kinds:
        inner = type_of([value for value in values if value is not None])
        return _MIXED if inner == _MIXED else f"{inner} | None"
    if len(kinds) != 1:
        return _MIXED
    return _type_of_kind(kinds.pop(), values)


def _type_of_kind(kind: type, values: Sequence[JsonValue]) -> str:
    if kind is list:
        inner = _element_type([item for value in values for item in _items(value)])
        return f"list[{inner}]" if inner else "list"
    if kind is dict:
        inner = _element_type([item for value in values for item in _items(value)])
        return f"dict[str, {inner}]" if inner else "dict"
    return _SCALARS[kind]


def _element_type(items: Sequence[JsonValue]) -> str:
    inner = type_of(items) if items else ""
    return "" if inner == _MIXED or inner.endswith("| None") else inner


def _items(value: JsonValue) -> list[JsonValue]:
    if isinstance(value, dict):
        return list(value.values())
    return value if isinstance(value, list) else []
