"""A model server with one model folder, and questions put to it side by side."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ollama
from rich.console import Console
from rich.progress import track

from services.model_server.starter_model.evaluation import Question
from shared.llama_gguf.export import export_gguf

MODEL = "starter"
WEIGHTS = Path(__file__).parents[2] / "services" / "model_server" / "starter_model" / "weights"
ASKED_AT_ONCE = 4
ANSWER_TOKENS = 200


@dataclass(frozen=True)
class Answer:
    """What was said, in words or as calls of tools, and how long that took."""

    text: str
    calls: tuple[tuple[str, dict[str, Any]], ...]
    tokens: int
    seconds: float


@contextmanager
def gguf_folder(weights: Path) -> Iterator[Path]:
    """A folder that holds `starter.gguf`: the one given, or a training run's, converted."""
    if (weights / f"{MODEL}.gguf").exists():
        yield weights
        return
    with tempfile.TemporaryDirectory() as made:
        export_gguf(weights, Path(made) / f"{MODEL}.gguf", "q8_0")
        yield Path(made)


class Served:
    """Asks one model server."""

    def __init__(self, address: str) -> None:
        self._client = ollama.Client(host=f"http://{address}", timeout=300)

    def ask(self, question: Question, seed: int | None = None) -> Answer:
        """One answer: greedy, or a sample that the seed decides."""
        sampling = {"temperature": 0} if seed is None else {"temperature": 0.8, "seed": seed}
        answer = self._client.chat(
            MODEL,
            messages=list(question.messages),
            tools=[tool.schema() for tool in question.tools] or None,
            options={"num_predict": ANSWER_TOKENS, **sampling},
            keep_alive=-1,
        )
        calls = [
            (c.function.name, dict(c.function.arguments)) for c in answer.message.tool_calls or []
        ]
        seconds = (answer.eval_duration or 0) / 1e9
        return Answer(answer.message.content or "", tuple(calls), answer.eval_count or 0, seconds)

    def ask_all(
        self, questions: Sequence[Question], what: str, seed: int | None = None
    ) -> list[Answer]:
        """The answers, in the order of the questions, with a bar on standard error."""
        with ThreadPoolExecutor(ASKED_AT_ONCE) as pool:
            answers = pool.map(lambda question: self.ask(question, seed), questions)
            bar = Console(stderr=True)
            return list(track(answers, what, total=len(questions), console=bar))
