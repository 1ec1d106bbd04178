"""The forge's words: how a spec is written as a draft request and a failure as a repair request."""

from collections.abc import Sequence
from typing import NamedTuple

SHOWN = 2  # examples in a draft request
FINDING = 300  # characters


class Example(NamedTuple):
    """One call of the function: its arguments and its result, JSON values both."""

    arguments: list[object]
    result: object


def annotation(values: Sequence[object]) -> str:
    """Infer one Python annotation from JSON values; `object` where nothing fits them all.

    Items of all lists (or dictionaries) are looked at together; empty or mixed ones stay bare.
    """
    kinds = {type(value) for value in values}
    if kinds == {int, float}:
        return "float"
    if len(kinds) > 1 and type(None) in kinds:
        inner = annotation([value for value in values if value is not None])
        return inner if inner == "object" else f"{inner} | None"
    if len(kinds) != 1:
        return "object"
    kind = kinds.pop()
    if kind in (list, dict):
        return _container(kind, values)
    return "None" if kind is type(None) else kind.__name__


def _container(kind: type, values: Sequence[object]) -> str:
    items: list[object] = []
    for value in values:
        if isinstance(value, dict):
            items += value.values()
        elif isinstance(value, list):
            items += value
    inner = annotation(items) if items else "object"
    if inner == "object" or inner.endswith("| None"):
        return kind.__name__
    return f"list[{inner}]" if kind is list else f"dict[str, {inner}]"


def signature(name: str, parameters: Sequence[str], examples: Sequence[Example]) -> str:
    """Return `def name(a: int) -> str`, types inferred from all examples."""
    columns = zip(*(example.arguments for example in examples), strict=True)
    pairs = [f"{p}: {annotation(column)}" for p, column in zip(parameters, columns, strict=True)]
    return f"def {name}({', '.join(pairs)}) -> {annotation([e.result for e in examples])}"


def call(name: str, arguments: Sequence[object]) -> str:
    """Return the call as Python source."""
    return f"{name}({', '.join(repr(argument) for argument in arguments)})"


def draft_request(name: str, description: str, head: str, examples: Sequence[Example]) -> str:
    """Return the user's words that ask for a first draft."""
    shown = [f"{call(name, e.arguments)} == {e.result!r}" for e in examples[:SHOWN]]
    lines = [
        "Write a Python function.",
        f"Task: {description}",
        f"Signature: {head}",
        "Examples:",
        *shown,
    ]
    return "\n".join(lines)


def repair_request(finding: str) -> str:
    """Return the user's words that ask for a repair; the finding is one trimmed line."""
    line = " ".join(finding.split("\n"))[:FINDING]
    return f"The function failed.\n{line}\nWrite the whole corrected function."
