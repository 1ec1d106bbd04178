"""The JSON Schema (draft 2020-12) of a tool's arguments, read off its source, never off its run.

Annotations give the types, whose schemas are pydantic's, defaults what may be left out, the
docstring (Google or Sphinx style) the descriptions. What is not of JSON's kinds allows anything.
"""

import ast
import math
import re
from typing import Any

from pydantic import TypeAdapter

from services.toolforge.annotation import type_of_annotation

DIALECT = "https://json-schema.org/draft/2020-12/schema"

Schema = dict[str, Any]

_PARAMETER = re.compile(r"\s*(?::param\s+)?(?P<name>\w+)\s*(?:\([^)]*\))?\s*:\s*(?P<text>\S.*)")


def schema_of(source: str, name: str) -> Schema:
    """The schema of the object of keyword arguments that the function `name` takes.

    `source` has passed the checks.
    """
    function = next(
        node
        for node in ast.parse(source).body
        if isinstance(node, ast.FunctionDef) and node.name == name
    )
    docstring = ast.get_docstring(function) or ""
    defaults = _defaults(function.args)
    names = [a.arg for a in [*function.args.args, *function.args.kwonlyargs]]
    return {
        "$schema": DIALECT,
        "title": name,
        "description": docstring.split("\n\n")[0].strip(),
        "type": "object",
        "properties": _properties(function.args, defaults, docstring),
        "required": [parameter for parameter in names if parameter not in defaults],
        "additionalProperties": False,
    }


def _properties(
    arguments: ast.arguments, defaults: dict[str, ast.expr], docstring: str
) -> dict[str, Schema]:
    descriptions = dict(_described(docstring))
    properties: dict[str, Schema] = {}
    for parameter in [*arguments.args, *arguments.kwonlyargs]:
        member = TypeAdapter(type_of_annotation(parameter.annotation)).json_schema()
        if parameter.arg in descriptions:
            member["description"] = descriptions[parameter.arg]
        if parameter.arg in defaults:
            member |= _default(defaults[parameter.arg])
        properties[parameter.arg] = member
    return properties


def _defaults(arguments: ast.arguments) -> dict[str, ast.expr]:
    tail = arguments.args[len(arguments.args) - len(arguments.defaults) :]
    pairs = [*zip(tail, arguments.defaults, strict=True)]
    keyword_only = zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True)
    pairs += [(parameter, value) for parameter, value in keyword_only if value is not None]
    return {parameter.arg: value for parameter, value in pairs}


def _default(value: ast.expr) -> Schema:
    """The default where it is a JSON value; nothing for `()` or a computed one."""
    try:
        literal = ast.literal_eval(value)
    except (ValueError, TypeError, SyntaxError, RecursionError, MemoryError):
        return {}
    return {"default": literal} if _is_json(literal) else {}


def _is_json(value: object) -> bool:
    if isinstance(value, list):
        return all(map(_is_json, value))
    if isinstance(value, dict):
        return all(isinstance(key, str) and _is_json(item) for key, item in value.items())
    if isinstance(value, float):
        return math.isfinite(value)
    return value is None or isinstance(value, str | int)


def _described(docstring: str) -> list[tuple[str, str]]:
    return [
        (match["name"], match["text"].strip())
        for line in docstring.split("\n")[1:]
        if (match := _PARAMETER.fullmatch(line))
    ]
