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
    assert properties["mode"] == {"enum": ["a", "b"]}
    assert properties["note"] == {"anyOf": [{"type": "string"}, {"type": "null"}], "default": None}
    assert properties["ratio"]["anyOf"] == [{"type": "number"}, {"type": "null"}]
    assert properties["ratio"]["description"] == "which share"
    assert properties["extra"] == {}
    assert properties["flag"] == {"type": "boolean", "default": True}
    assert schema["additionalProperties"] is False


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
