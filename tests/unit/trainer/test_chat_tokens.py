"""Chats with tool calls as the base's own template writes them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from transformers import AutoTokenizer

from services.trainer.chat_tokens import IGNORED, tokenize
from services.trainer.golden_dataset import row_json
from services.trainer.rows import Row, read_rows
from tests.unit.trainer.examples import called, talk

STARTER = Path(__file__).resolve().parents[3] / "services/model_server/starter_model/weights"


@pytest.fixture(scope="module")
def tokenizer() -> Any:
    return AutoTokenizer.from_pretrained(STARTER)


@pytest.fixture
def rows(tmp_path: Path) -> list[Row]:
    path = tmp_path / "train.jsonl"
    path.write_text("".join(row_json(e) + "\n" for e in (called(5, "I add."), talk(1))))
    return list(read_rows(path))


def test_a_call_is_learnt_as_the_template_writes_it(tokenizer: Any, rows: list[Row]) -> None:
    call, words = tokenize(tokenizer, rows)
    learnt = tokenizer.decode([label for label in call.labels if label != IGNORED])
    before = tokenizer.decode(
        [i for i, label in zip(call.input_ids, call.labels, strict=True) if label == IGNORED]
    )
    body = learnt.partition("<tool_call>")[2].partition("</tool_call>")[0]
    assert json.loads(body) == rows[0].completion["tool_calls"][0]["function"]
    assert learnt.startswith("I add.")
    assert "Add two numbers." in before
    assert "Answer 1." in tokenizer.decode([i for i in words.labels if i != IGNORED])


def test_a_template_without_calls_learns_none_of_them(rows: list[Row]) -> None:
    tokenizer = AutoTokenizer.from_pretrained(STARTER)
    tokenizer.chat_template = (
        "{% for message in messages %}{{ message.role + ': ' + message.content + '\n' }}"
        "{% endfor %}{% if add_generation_prompt %}{{ 'assistant: ' }}{% endif %}"
    )
    (words,) = tokenize(tokenizer, rows)
    assert "Answer 1." in tokenizer.decode([i for i in words.labels if i != IGNORED])
    assert tokenize(tokenizer, rows[:1]) == []
