"""The JSON Schema (draft 2020-12) of a tool's arguments, read off its source, never off its run.

Annotations give the types, defaults what may be left out, the docstring (Google or Sphinx style)
the descriptions. An annotation without a JSON counterpart allows anything.
"""

import ast
import math
import re
from typing import Any

DIALECT = "https://json-schema.org/draft/2020-12/schema"

Schema = dict[str, Any]

_SCALARS = {
    "str": "string",
    "int": "integer",
    "float": "number",
    "bool": "boolean",
    "None": "null",
}
_ARRAYS = {"list", "List", "Sequence", "Iterable", "Collection", "set", "Set", "frozenset"}
_OBJECTS = {"dict", "Dict", "Mapping", "MutableMapping"}
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


def type_schema(annotation: ast.expr | None) -> Schema:
    """The schema of one annotation."""
    if isinstance(annotation, ast.Constant):
        return _constant(annotation.value)
    if isinstance(annotation, ast.BinOp) and isinstance(annotation.op, ast.BitOr):
        return _any_of([annotation.left, annotation.right])
    if isinstance(annotation, ast.Subscript):
        return _subscript(_word(annotation.value), _parts(annotation.slice))
    return _plain(_word(annotation))


def _properties(
    arguments: ast.arguments, defaults: dict[str, ast.expr], docstring: str
) -> dict[str, Schema]:
    descriptions = dict(_described(docstring))
    properties: dict[str, Schema] = {}
    for parameter in [*arguments.args, *arguments.kwonlyargs]:
        member = type_schema(parameter.annotation)
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


def _plain(word: str) -> Schema:
    if word in _SCALARS:
        return {"type": _SCALARS[word]}
    if word in _ARRAYS or word in {"tuple", "Tuple"}:
        return {"type": "array"}
    return {"type": "object"} if word in _OBJECTS else {}


def _subscript(word: str, parts: list[ast.expr]) -> Schema:
    schema: Schema = {}
    match word:
        case _ if word in _ARRAYS:
            schema = {"type": "array", "items": type_schema(parts[0])}
        case _ if word in _OBJECTS:
            schema = {"type": "object", "additionalProperties": type_schema(parts[-1])}
        case "tuple" | "Tuple":
            schema = _tuple(parts)
        case "Optional":
            schema = _any_of([*parts, ast.Constant(None)])
        case "Union":
            schema = _any_of(parts)
        case "Literal":
            values = [part.value for part in parts if isinstance(part, ast.Constant)]
            schema = {"enum": [value for value in values if _is_json(value)]}
    return schema


def _tuple(parts: list[ast.expr]) -> Schema:
    if isinstance(parts[-1], ast.Constant) and parts[-1].value is Ellipsis:
        return {"type": "array", "items": type_schema(parts[0])}
    size = len(parts)
    items = [type_schema(part) for part in parts]
    return {"type": "array", "prefixItems": items, "minItems": size, "maxItems": size}


def _any_of(parts: list[ast.expr]) -> Schema:
    members: list[Schema] = []
    for part in parts:
        member = type_schema(part)
        nested = member.get("anyOf", [member])
        members += [schema for schema in nested if schema not in members]
    return members[0] if len(members) == 1 else {"anyOf": members}


def _constant(value: object) -> Schema:
    if value is None:
        return {"type": "null"}
    if not isinstance(value, str):
        return {}
    try:
        return type_schema(ast.parse(value, mode="eval").body)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return {}


def _word(annotation: ast.expr | None) -> str:
    if isinstance(annotation, ast.Attribute):
        return annotation.attr
    if isinstance(annotation, ast.Constant) and annotation.value is None:
        return "None"
    return annotation.id if isinstance(annotation, ast.Name) else ""


def _parts(index: ast.expr) -> list[ast.expr]:
    return list(index.elts) if isinstance(index, ast.Tuple) else [index]
