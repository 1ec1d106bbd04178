"""The created model against the incumbent, on the same examples, through the model's API."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from services.trainer.code_runner import CodeRunner
from services.trainer.golden_example import GoldenExample, ToolSpec
from services.trainer.model_backend import Answer, ModelBackend
from shared.errors import FailedPrecondition

_FENCE = re.compile(r"```[^\n]*\n(.*?)(?:```|\Z)", re.DOTALL)
_WORD = re.compile(r"\w+")
_MOST_WORDS = 3  # an answer this many times as long as the golden one says everything at once

Report = Callable[[str, int, int], Awaitable[None]]  # model tag, examples judged, of how many


class Evaluation:
    """Scores models on examples: 1.0 where the example is met, otherwise 0.0.

    Code is judged by running it in the sandbox, words by comparing them with the golden answer, and
    calls by their names and arguments.
    `parallel` questions are asked at once; answers are cut at `answer_tokens`.
    """

    def __init__(
        self, backend: ModelBackend, runner: CodeRunner, parallel: int, answer_tokens: int
    ) -> None:
        self._backend = backend
        self._runner = runner
        self._parallel = parallel
        self._answer_tokens = answer_tokens
        self._passed: dict[tuple[str, ToolSpec], bool] = {}

    def forget(self) -> None:
        """Drops what was found out about code in the evaluations before."""
        self._passed.clear()

    async def scores(
        self, tag: str, examples: Sequence[GoldenExample], report: Report
    ) -> list[float]:
        """One score per example, in order. The first error ends it: a gap would be no score."""
        gate = asyncio.Semaphore(self._parallel)
        judged = 0

        async def score(example: GoldenExample) -> float:
            nonlocal judged
            async with gate:
                met = await self._met(tag, example)
            judged += 1
            await report(tag, judged, len(examples))
            return float(met)

        try:
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(score(example)) for example in examples]
        except ExceptionGroup as errors:
            raise errors.exceptions[0] from errors
        return [task.result() for task in tasks]

    async def _met(self, tag: str, example: GoldenExample) -> bool:
        try:
            answer = await self._backend.chat(
                tag, example.prompt, self._answer_tokens, example.tools
            )
        except FailedPrecondition as error:
            if not example.tools or "tools" not in error.message:
                raise
            return False  # a model that takes no tools calls none
        if example.calls:
            return _calls(answer, example)
        if example.spec is None:
            return says(answer.text, example.answer)
        return await self._passes(answer.text, example.spec)

    async def _passes(self, answer: str, spec: ToolSpec) -> bool:
        """Runs the code, once where both models wrote the same for the same spec.

        What it must return never enters the sandbox.
        """
        code = code_in(answer)
        if f"def {spec.function}" not in code:
            return False
        if (code, spec) not in self._passed:
            values = await self._runner.call(
                code, spec.function, [e.arguments_json for e in spec.expectations]
            )
            self._passed[code, spec] = all(
                value is not None and same_json(value, expectation.result_json)
                for value, expectation in zip(values, spec.expectations, strict=True)
            )
        return self._passed[code, spec]


@dataclass(frozen=True)
class _Typed:
    """A scalar that equals only its own type: 1, 1.0 and true differ."""

    kind: type
    value: object


def same_json(left: str, right: str) -> bool:
    """Equality of two JSON texts, type-strict at every level; False for what is no JSON."""
    try:
        return bool(_typed(json.loads(left)) == _typed(json.loads(right)))
    except (ValueError, RecursionError):
        return False


def _typed(value: object) -> object:
    if isinstance(value, list):
        return [_typed(item) for item in value]
    if isinstance(value, dict):
        return {key: _typed(item) for key, item in value.items()}
    return _Typed(type(value), value)


def _calls(answer: Answer, example: GoldenExample) -> bool:
    wanted = [call["function"] for call in example.calls]
    return len(answer.calls) == len(wanted) and all(
        name == function["name"] and same_json(arguments, json.dumps(function["arguments"]))
        for (name, arguments), function in zip(answer.calls, wanted, strict=True)
    )


def code_in(answer: str) -> str:
    """The longest fenced block of an answer, or all of it where nothing is fenced."""
    return max(_FENCE.findall(answer), key=len, default=answer)


def says(answer: str, golden: str) -> bool:
    """True where the answer has the golden answer's words in a row and not much more."""
    said, wanted = (_WORD.findall(text.casefold()) for text in (answer, golden))
    if not wanted or len(said) > _MOST_WORDS * len(wanted) + _MOST_WORDS:
        return said == wanted
    return any(
        said[start : start + len(wanted)] == wanted for start in range(len(said) - len(wanted) + 1)
    )
