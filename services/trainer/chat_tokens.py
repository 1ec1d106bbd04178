"""Chats as tokens, with labels on the answer alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from services.trainer.engine import EngineError
from services.trainer.rows import Row
from services.trainer.training_job import Message

IGNORED = -100  # the label that torch's cross entropy leaves out


@dataclass(frozen=True)
class TokenRow:
    """Token ids and equally many labels; labels of the prompt are IGNORED."""

    input_ids: list[int]
    labels: list[int]


def render_prompt(tokenizer: Any, messages: Sequence[Message]) -> str:
    """The chat as text, up to where the assistant's answer begins."""
    text: str = tokenizer.apply_chat_template(
        list(messages), tokenize=False, add_generation_prompt=True
    )
    return text


def count_prompt_tokens(tokenizer: Any, messages: Sequence[Message]) -> int:
    """Tokens that a server must count for the same chat if it renders it alike."""
    ids = tokenizer(render_prompt(tokenizer, messages), add_special_tokens=False)["input_ids"]
    return len(ids)


def tokenize(tokenizer: Any, rows: Sequence[Row]) -> list[TokenRow]:
    """Every row as tokens.

    Prompt and answer are cut into tokens apart, because that is what happens when a server has
    the prompt and the model adds to it. Raises EngineError where the template renders the answer
    other than after the prompt.
    """
    prompts = [render_prompt(tokenizer, row.prompt) for row in rows]
    answers = [_answer(tokenizer, row, prompt) for row, prompt in zip(rows, prompts, strict=True)]
    if not rows:
        return []
    prompt_ids = tokenizer(prompts, add_special_tokens=False)["input_ids"]
    answer_ids = tokenizer(answers, add_special_tokens=False)["input_ids"]
    return [
        TokenRow([*head, *tail], [IGNORED] * len(head) + list(tail))
        for head, tail in zip(prompt_ids, answer_ids, strict=True)
    ]


def _answer(tokenizer: Any, row: Row, prompt: str) -> str:
    whole: str = tokenizer.apply_chat_template([*row.prompt, row.completion], tokenize=False)
    if not whole.startswith(prompt):
        raise EngineError(
            "TEMPLATE_NOT_A_PREFIX",
            "the base's chat template renders a chat with its answer other than the chat alone, "
            "so the answer cannot be told from the prompt",
        )
    return whole[len(prompt) :]
