from __future__ import annotations

import json
from typing import Any

import pytest

from services.trainer.outside_data import RowRefused, Shape, read_row

ASKED, ANSWERED = {"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello."}
SHARED = [{"from": "human", "value": "Hi"}, {"from": "gpt", "value": "Hello."}]


@pytest.mark.parametrize(
    ("shape", "row"),
    [
        (Shape.MESSAGES, {"messages": [ASKED, ANSWERED]}),
        (Shape.MESSAGES, {"messages": [{"role": "system", "content": "x"}, ASKED, ANSWERED]}),
        (Shape.SHAREGPT, {"conversations": SHARED}),
        (Shape.ALPACA, {"instruction": "Hi", "input": "", "output": "Hello."}),
    ],
)
def test_the_same_example_in_every_shape(shape: Shape, row: dict[str, Any]) -> None:
    example = read_row(json.dumps(row), shape)
    assert (list(example.messages), example.answer) == ([ASKED], "Hello.")


def test_alpacas_input_follows_its_instruction() -> None:
    row = {"instruction": "Translate.", "input": "Haus", "output": "house"}
    assert read_row(json.dumps(row), Shape.ALPACA).messages[0]["content"] == "Translate.\n\nHaus"


def test_earlier_turns_are_kept() -> None:
    example = read_row(json.dumps({"messages": [ASKED, ANSWERED, ASKED, ANSWERED]}), Shape.MESSAGES)
    assert list(example.messages) == [ASKED, ANSWERED, ASKED]


@pytest.mark.parametrize(
    ("shape", "row", "words"),
    [
        (Shape.MESSAGES, "{", "is not JSON"),
        (Shape.MESSAGES, "[" * 100_000, "is longer"),
        (Shape.MESSAGES, "[" * 50_000, "is not JSON"),
        (Shape.MESSAGES, "[]", "must be a JSON object"),
        (Shape.MESSAGES, "{}", "has no list 'messages'"),
        (Shape.SHAREGPT, {"messages": [ASKED, ANSWERED]}, "has no list 'conversations'"),
        (Shape.MESSAGES, {"messages": [1]}, "messages, 1: must be an object"),
        (Shape.MESSAGES, {"messages": [ASKED]}, "does not end with"),
        (Shape.MESSAGES, {"messages": [ASKED, ANSWERED, ASKED]}, "does not end with"),
        (Shape.MESSAGES, {"messages": [ANSWERED, ASKED]}, "turn 1 is of 'assistant'"),
        (Shape.MESSAGES, {"messages": [ASKED, ASKED]}, "turn 2 is of 'user'"),
        (Shape.MESSAGES, {"messages": [{"role": "tool", "content": "x"}]}, "turn 1 is of 'tool'"),
        (Shape.MESSAGES, {"messages": [{"role": "user", "content": " "}]}, "no text in 'content'"),
        (Shape.MESSAGES, {"messages": [{"role": "user", "content": 7}]}, "no text in 'content'"),
        (Shape.MESSAGES, '{"messages": [{"role": "user", "content": "\\ud800"}]}', "half a char"),
        (Shape.ALPACA, {"instruction": "Hi"}, "no text in 'output'"),
        (Shape.ALPACA, {"instruction": "Hi", "input": 5, "output": "x"}, "no text in 'input'"),
        (Shape.MESSAGES, {"messages": []}, "does not end with"),
    ],
)
def test_a_row_that_is_no_example_is_refused_with_the_reason(
    shape: Shape, row: Any, words: str
) -> None:
    with pytest.raises(RowRefused) as caught:
        read_row(row if isinstance(row, str) else json.dumps(row), shape)
    assert words in str(caught.value)
