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
    """Infer one Python annotation from JSON values; mixed types give the loosest that fits."""
    found = {_one(value) for value in values}
    if len(found) == 1:
        return found.pop()
    if found == {"int", "float"}:
        return "float"
    bases = {name.split("[")[0] for name in found}
    if bases in ({"list"}, {"dict"}):
        return _merged(values, bases.pop())
    return "object"


def _merged(values: Sequence[object], base: str) -> str:
    filled = [value for value in values if value]
    if len(filled) < len(values) and filled:
        return annotation(filled)
    return base


def _one(value: object) -> str:
    if isinstance(value, list):
        return f"list[{annotation(value)}]" if value and annotation(value) != "object" else "list"
    if isinstance(value, dict):
        inner = annotation(list(value.values())) if value else "object"
        return f"dict[str, {inner}]" if inner != "object" else "dict"
    return "None" if value is None else type(value).__name__


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
