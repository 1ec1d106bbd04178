import json

import jsonschema
import pytest

from services.toolforge.invocation import validate
from services.toolforge.schema import schema_of
from services.toolforge.tool import make_tool
from shared.errors import InvalidArgument
from tests.unit.toolforge.specs import spec

SOURCE = '''
import typing
from typing import Literal, Optional

def pick(
    text: str, count: int, weights: list[float], table: dict[str, int], pair: tuple[str, int],
    mode: Literal["a", "b"], note: Optional[str] = None, *, ratio: "float | None" = 0.5,
    extra: typing.Any = (), flag: bool = True,
) -> list[str]:
    """Pick words.

    Args:
        text: where to look
        count (int): how many of them
    :param ratio: which share
    """
    return []
'''


def test_the_schema_of_a_rich_signature() -> None:
    schema = schema_of(SOURCE, "pick")
    jsonschema.Draft202012Validator.check_schema(schema)
    properties = schema["properties"]
    assert schema["description"] == "Pick words."
    assert schema["required"] == ["text", "count", "weights", "table", "pair", "mode"]
    assert properties["text"] == {"type": "string", "description": "where to look"}
    assert properties["count"] == {"type": "integer", "description": "how many of them"}
    assert properties["weights"] == {"type": "array", "items": {"type": "number"}}
    assert properties["table"] == {"type": "object", "additionalProperties": {"type": "integer"}}
    assert properties["pair"]["prefixItems"] == [{"type": "string"}, {"type": "integer"}]
    assert properties["mode"] == {"type": "string", "enum": ["a", "b"]}
    assert properties["note"] == {"anyOf": [{"type": "string"}, {"type": "null"}], "default": None}
    assert properties["ratio"]["anyOf"] == [{"type": "number"}, {"type": "null"}]
    assert properties["ratio"]["description"] == "which share"
    assert properties["extra"] == {}
    assert properties["flag"] == {"type": "boolean", "default": True}
    assert schema["additionalProperties"] is False


@pytest.mark.parametrize(
    ("annotation", "schema"),
    [
        ("set[int]", {"type": "array", "items": {"type": "integer"}}),
        ("Mapping[int, list[str]]", None),
        ("tuple[int, ...]", {"type": "array", "items": {"type": "integer"}}),
        ("int | str | None", None),
        ("Union[int, None]", {"anyOf": [{"type": "integer"}, {"type": "null"}]}),
        ("collections.abc.Sequence", {"type": "array", "items": {}}),
        ("dict", {"type": "object", "additionalProperties": True}),
        ("tuple", {"type": "array", "items": {}}),
        ("Literal[1]", {"type": "integer", "const": 1}),
        ("Literal[b'x']", {}),
        ("Fraction", {}),
        ("list[int, str, 5]", {"type": "array", "items": {"type": "integer"}}),
        ("'list['", {}),
        ("dict[()]", {"type": "object", "additionalProperties": True}),
        ("Optional[f()]", {"anyOf": [{}, {"type": "null"}]}),
        ("tuple[()]", {"type": "array", "items": {}}),
        ("[" * 50 + "]" * 50, {}),
    ],
)
def test_annotations_become_schemas_and_are_never_evaluated(
    annotation: str, schema: dict[str, object] | None
) -> None:
    source = f'def f(a: {annotation}) -> int:\n    """F."""\n    return 1\n'
    made = schema_of(source, "f")["properties"]["a"]
    jsonschema.Draft202012Validator.check_schema(made)
    if schema is not None:
        assert made == schema


def test_the_schema_is_plain_json() -> None:
    source = (
        'def f(a: float = float("nan"), b: float = 1e999) -> int:\n    """F."""\n    return 1\n'
    )
    text = json.dumps(schema_of(source, "f"), allow_nan=False)
    assert json.loads(text)["required"] == []


@pytest.mark.parametrize(
    ("arguments", "fields"),
    [
        ('{"a": 1, "b": 2}', []),
        ('{"a": 1}', ["arguments_json"]),
        ('{"a": "1", "b": 2.0}', ["arguments_json.a", "arguments_json.b"]),
        ('{"a": true, "b": 1}', ["arguments_json.a"]),
        ('{"a": 1, "b": 2, "c": 3}', ["arguments_json"]),
        ("[1, 2]", ["arguments_json"]),
        ("{", ["arguments_json"]),
        ('{"a": NaN, "b": 1}', ["arguments_json"]),
    ],
)
def test_arguments_are_validated_field_by_field(arguments: str, fields: list[str]) -> None:
    source = 'def add(a: int, b: int) -> int:\n    """Add."""\n    return a + b\n'
    tool = make_tool(spec(), source, "box")
    if not fields:
        validate(tool, arguments)
        return
    with pytest.raises(InvalidArgument) as caught:
        validate(tool, arguments)
    assert [violation.field for violation in caught.value.violations] == fields
