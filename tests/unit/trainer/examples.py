"""Golden examples for the Trainer's tests."""

from __future__ import annotations

from services.trainer.golden_example import Expectation, GoldenExample, ToolSpec


def tool(number: int, family: str = "", description: str = "") -> GoldenExample:
    """A verified tool; by default each is a family of its own."""
    name = f"add_{number}"
    return GoldenExample(
        source="tool",
        family=family or f"family {number}",
        prompt=(
            {"role": "system", "content": "You are BRICK."},
            {"role": "user", "content": description or f"Write a function that adds {number}."},
        ),
        answer=f"def {name}(x: int) -> int:\n    return x + {number}",
        spec=ToolSpec(name, (Expectation('{"x": 1}', str(1 + number)),)),
    )


def talk(number: int, soma: str = "", answer: str = "") -> GoldenExample:
    """A corrected turn."""
    return GoldenExample(
        source="correction",
        family=soma or f"somas/{number}",
        prompt=({"role": "user", "content": f"Question {number}?"},),
        answer=answer or f"Answer {number}.",
    )


ADD = {
    "type": "function",
    "function": {
        "name": "add",
        "description": "Add two numbers.",
        "parameters": {"type": "object", "properties": {"a": {"type": "integer"}}},
    },
}


def called(number: int, answer: str = "") -> GoldenExample:
    """A turn in which a tool was called."""
    function = {"name": "add", "arguments": {"a": number, "who": "ann@work.io"}}
    return GoldenExample(
        source="rating",
        family=f"somas/call {number}",
        prompt=({"role": "user", "content": f"Add {number}."},),
        answer=answer,
        tools=(ADD,),
        calls=({"type": "function", "function": function},),
    )
