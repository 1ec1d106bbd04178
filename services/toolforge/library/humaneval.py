"""Problems in the shape of HumanEval (Chen et al., 2021, arXiv:2107.03374) as tools.

A line is {"task_id", "prompt", "entry_point", "canonical_solution" or "solution", "test"}; the
test defines check(candidate). The tool is prompt and solution together, its description the
docstring without its examples, its assertions the test.
"""

import ast
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from batos.toolforge.v1 import toolforge_pb2 as pb

from services.toolforge.foreign import foreseen
from services.toolforge.library.folder import Entry
from services.toolforge.signature import type_of
from services.toolforge.spec import MAX_DESCRIPTION_BYTES
from shared.errors import InvalidArgument

MAX_LINE_BYTES = 1 << 20


def read_problems(path: Path) -> Iterator[Entry | InvalidArgument]:
    """Each line as an entry, or what is wrong with it. Raises InvalidArgument without a file."""
    try:
        with path.open(encoding="utf-8") as lines:
            for number, line in enumerate(lines, start=1):
                if line.strip():
                    yield _entry_or_fault(number, line)
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidArgument(f"{path} cannot be read: {error}") from None


def _entry_or_fault(number: int, line: str) -> Entry | InvalidArgument:
    try:
        return read_problem(line)
    except InvalidArgument as error:
        return InvalidArgument(f"line {number}: {error.message}")


def read_problem(line: str) -> Entry:
    """One problem; raises InvalidArgument."""
    if len(line.encode()) > MAX_LINE_BYTES:
        raise InvalidArgument(f"is longer than {MAX_LINE_BYTES} bytes")
    try:
        row = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise InvalidArgument(f"is not JSON: {error}") from None
    if not isinstance(row, dict):
        raise InvalidArgument("must be a JSON object")
    name, prompt, test = (_text(row, key) for key in ("entry_point", "prompt", "test"))
    solution = _text(row, "solution" if "solution" in row else "canonical_solution")
    source = f"{prompt}{solution}".strip("\n") + "\n"
    function = _function(source, name)
    return Entry(
        name=name,
        source=_annotated(source, function, test),
        spec=pb.Spec(name=name, description=_description(function)),
        assertions=test,
    )


def _text(row: Mapping[str, Any], key: str) -> str:
    value = row.get(key)
    if not isinstance(value, str) or not value.strip():
        raise InvalidArgument(f"has no text in {key!r}")
    return value


def _function(source: str, name: str) -> ast.FunctionDef:
    try:
        body = ast.parse(source).body
    except (SyntaxError, ValueError, RecursionError) as error:
        raise InvalidArgument(f"prompt and solution are no Python: {error}") from None
    found = [node for node in body if isinstance(node, ast.FunctionDef) and node.name == name]
    if not found:
        raise InvalidArgument(f"prompt and solution define no function {name!r}")
    return found[-1]


def _description(function: ast.FunctionDef) -> str:
    """The docstring up to its first example, as one paragraph."""
    text = (ast.get_docstring(function) or function.name).partition(">>>")[0]
    words = " ".join(text.split()) or function.name
    return words.encode()[:MAX_DESCRIPTION_BYTES].decode(errors="ignore")


def _annotated(source: str, function: ast.FunctionDef, test: str) -> str:
    """The source with the annotations that are missing, read off the calls in the test.

    Half of HumanEval has none; a tool's schema is made of them. What the test does not tell is
    `object`.
    """
    parameters = [*function.args.args, *function.args.kwonlyargs]
    types = _types([parameter.arg for parameter in parameters], test)
    places = [
        (parameter.end_lineno, parameter.end_col_offset, f": {types[parameter.arg]}")
        for parameter in parameters
        if parameter.annotation is None
    ]
    lines = source.split("\n")
    for line, column, text in sorted(places, reverse=True):
        if line is not None and column is not None:
            lines[line - 1] = _inserted(lines[line - 1], column, text)
    if function.returns is None:
        _annotate_result(lines, function)
    return "\n".join(lines)


def _types(parameters: list[str], test: str) -> dict[str, str]:
    values: dict[str, list[Any]] = {parameter: [] for parameter in parameters}
    for call in foreseen(test):
        positional, by_name = json.loads(call)
        given = {**dict(zip(parameters, positional, strict=False)), **by_name}
        for parameter in values.keys() & given.keys():
            values[parameter].append(given[parameter])
    return {parameter: type_of(seen) if seen else "object" for parameter, seen in values.items()}


def _annotate_result(lines: list[str], function: ast.FunctionDef) -> None:
    """Puts `-> object` before the colon that ends the head: the last one above the body."""
    first = function.body[0].lineno - 1
    for index in range(first - 1, function.lineno - 2, -1):
        head, colon, rest = lines[index].rpartition("):")
        if colon:
            lines[index] = f"{head}) -> object:{rest}"
            return


def _inserted(line: str, column: int, text: str) -> str:
    """`column` counts bytes of UTF-8, as ast does."""
    data = line.encode()
    return (data[:column] + text.encode() + data[column:]).decode()
