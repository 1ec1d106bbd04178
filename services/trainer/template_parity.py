"""Does the server render the chat as it was rendered for training?

Counted in tokens, the one thing about its prompt that Ollama's API tells. A template or an
end-of-turn token that differs is the commonest cause of gibberish after a good fine-tune.
"""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass
from pathlib import Path

from services.trainer.model_backend import ModelBackend
from services.trainer.training_job import Message
from shared.errors import DataLoss


def probe(system_prompt: str) -> tuple[Message, ...]:
    """A chat with every role, digits, code, newlines and letters outside ASCII."""
    return (
        {"role": "system", "content": system_prompt},
        {"role": "user", "content": "Add 12 and 345, then say why: café, naïve."},
        {"role": "assistant", "content": "def add(a: int, b: int) -> int:\n    return a + b"},
        {"role": "user", "content": "  Thanks!\n\nOnce more, {with} <care>."},
    )


@dataclass(frozen=True)
class Parity:
    """Tokens of the probe in training and at the server."""

    trained_tokens: int
    server_tokens: int

    @property
    def holds(self) -> bool:
        """True where both counted alike."""
        return self.trained_tokens == self.server_tokens


async def measure(backend: ModelBackend, tag: str, parity_file: Path) -> Parity:
    """Asks the server for one token and compares; DataLoss where training left no count.

    It must be the first question that a new model is asked: some servers do not count what they
    have in their prompt cache.
    """
    try:
        recorded = json.loads(await asyncio.to_thread(parity_file.read_text, encoding="utf-8"))
        messages, count = recorded["messages"], int(recorded["token_count"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataLoss(f"the training left no usable {parity_file.name}: {error}") from error
    answer = await backend.chat(tag, messages, answer_tokens=1)
    return Parity(count, answer.prompt_tokens)
