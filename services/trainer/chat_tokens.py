"""Chats as tokens, with labels on the answer alone."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from services.trainer.engine import EngineError
from services.trainer.rows import Row
from services.trainer.training_job import Message

_log = logging.getLogger(__name__)

IGNORED = -100  # the label that torch's cross entropy leaves out


@dataclass(frozen=True)
class TokenRow:
    """Token ids and equally many labels; labels of the prompt are IGNORED."""

    input_ids: list[int]
    labels: list[int]


def render_prompt(
    tokenizer: Any, messages: Sequence[Message], tools: Sequence[dict[str, Any]] = ()
) -> str:
    """The chat as text, up to where the assistant's answer begins."""
    text: str = tokenizer.apply_chat_template(
        list(messages), tools=list(tools) or None, tokenize=False, add_generation_prompt=True
    )
    return text


def count_prompt_tokens(tokenizer: Any, messages: Sequence[Message]) -> int:
    """Tokens that a server must count for the same chat if it renders it alike."""
    ids = tokenizer(render_prompt(tokenizer, messages), add_special_tokens=False)["input_ids"]
    return len(ids)


def tokenize(tokenizer: Any, rows: Sequence[Row]) -> list[TokenRow]:
    """Every row as tokens; left out are calls that the template has no words for.

    Prompt and answer are cut into tokens apart, because that is what happens when a server has
    the prompt and the model adds to it. Raises EngineError where the template renders the answer
    other than after the prompt.
    """
    texts = [text for row in rows if (text := _texts(tokenizer, row)) is not None]
    if len(texts) < len(rows):
        _log.warning("%d rows call tools, which the template cannot say", len(rows) - len(texts))
    if not texts:
        return []
    prompts, answers = map(list, zip(*texts, strict=True))
    prompt_ids = tokenizer(prompts, add_special_tokens=False)["input_ids"]
    answer_ids = tokenizer(answers, add_special_tokens=False)["input_ids"]
    return [
        TokenRow([*head, *tail], [IGNORED] * len(head) + list(tail))
        for head, tail in zip(prompt_ids, answer_ids, strict=True)
    ]


def _texts(tokenizer: Any, row: Row) -> tuple[str, str] | None:
    prompt = render_prompt(tokenizer, row.prompt, row.tools)
    answer = _answer(tokenizer, row, row.completion, prompt)
    if "tool_calls" in row.completion:
        words = {key: value for key, value in row.completion.items() if key != "tool_calls"}
        if _answer(tokenizer, row, words, prompt) == answer:
            return None
    return prompt, answer


def _answer(tokenizer: Any, row: Row, completion: Message, prompt: str) -> str:
    whole: str = tokenizer.apply_chat_template(
        [*row.prompt, completion], tools=list(row.tools) or None, tokenize=False
    )
    if not whole.startswith(prompt):
        raise EngineError(
            "TEMPLATE_NOT_A_PREFIX",
            "the base's chat template renders a chat with its answer other than the chat alone, "
            "so the answer cannot be told from the prompt",
        )
    return whole[len(prompt) :]
