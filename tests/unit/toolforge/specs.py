"""Specs for the tests of ToolForge."""

import json
from typing import Any

from services.toolforge.spec import Spec, read_spec

GOOD_ADD = 'def add(a: int, b: int) -> int:\n    """Add two numbers."""\n    return a + b\n'


def spec(
    *examples: tuple[dict[str, Any], Any],
    name: str = "add",
    description: str = "Add two numbers.",
) -> Spec:
    chosen = examples or (({"a": 1, "b": 2}, 3), ({"a": 5, "b": 5}, 10))
    pairs = [(json.dumps(arguments), json.dumps(result)) for arguments, result in chosen]
    return read_spec(name, description, pairs)
