from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from services.trainer.evaluation import Evaluation, code_in, same_json, says
from services.trainer.template_parity import measure
from shared.errors import DataLoss, Unavailable
from tests.unit.trainer.examples import called, talk, tool
from tests.unit.trainer.neighbours import ScriptedBackend


class TableRunner:
    """Knows what some sources return, in place of a sandbox."""

    def __init__(self, values: dict[str, list[str | None]]) -> None:
        self.values = values
        self.ran: list[str] = []

    async def call(
        self, source: str, function: str, arguments_json: Sequence[str]
    ) -> list[str | None]:
        self.ran.append(source)
        return self.values.get(source, [None] * len(arguments_json))


async def ignore(tag: str, judged: int, total: int) -> None:
    return


def asked(number: int) -> str:
    return tool(number).prompt[-1]["content"]


async def test_code_is_judged_by_what_it_returns_and_words_by_the_golden_ones() -> None:
    answers = {
        ("m", asked(1)): tool(1).answer,
        ("m", asked(2)): f"Here:\n```python\n{tool(2).answer}\n```",
        ("m", asked(3)): "def other(x): return 4",
        ("m", asked(4)): tool(4).answer,
        ("m", "Question 5?"): "answer 5!",
        ("m", "Question 6?"): "No idea.",
    }
    runner = TableRunner(
        {tool(1).answer: ["2"], f"{tool(2).answer}\n": ["3"], tool(4).answer: ["5.0"]}
    )
    backend = ScriptedBackend(answers)
    evaluation = Evaluation(backend, runner, parallel=3, answer_tokens=16)
    examples = [tool(1), tool(2), tool(3), tool(4), talk(5), talk(6)]
    assert await evaluation.scores("m", examples, ignore) == [1, 1, 0, 0, 1, 0]
    assert backend.most_at_once == 3


async def test_the_same_code_for_the_same_spec_runs_once_in_an_evaluation() -> None:
    answers = {(tag, asked(1)): tool(1).answer for tag in ("old", "new")}
    runner = TableRunner({tool(1).answer: ["2"]})
    evaluation = Evaluation(ScriptedBackend(answers), runner, parallel=2, answer_tokens=16)
    assert await evaluation.scores("old", [tool(1)], ignore) == [1]
    assert await evaluation.scores("new", [tool(1)], ignore) == [1]
    assert len(runner.ran) == 1
    evaluation.forget()
    await evaluation.scores("new", [tool(1)], ignore)
    assert len(runner.ran) == 2


async def test_a_sandbox_that_is_away_is_an_error_and_no_score() -> None:
    class AwayRunner(TableRunner):
        async def call(
            self, source: str, function: str, arguments_json: Sequence[str]
        ) -> list[str | None]:
            raise Unavailable("no sandbox")

    answers = {("m", asked(n)): tool(n).answer for n in range(4)}
    evaluation = Evaluation(ScriptedBackend(answers), AwayRunner({}), 2, 16)
    with pytest.raises(Unavailable):
        await evaluation.scores("m", [tool(n) for n in range(4)], ignore)


@pytest.mark.parametrize(
    ("left", "right", "same"),
    [
        ("1", "1", True),
        ("1", "1.0", False),
        ("1", "true", False),
        ("[1, [2.0]]", "[1, [2.0]]", True),
        ("[1, [2.0]]", "[1, [2]]", False),
        ('{"a": 0}', '{"a": false}', False),
        ('{"a": 1, "b": 2}', '{"b": 2, "a": 1}', True),
        ("nonsense", "nonsense", False),
        ("[" * 100_000, "[" * 100_000, False),
    ],
)
def test_values_are_compared_type_strictly(left: str, right: str, same: bool) -> None:
    assert same_json(left, right) is same


@pytest.mark.parametrize(
    ("answer", "golden", "met"),
    [
        ("Bats fly at night.", "bats fly at night", True),
        ("Well: bats fly at night, dear.", "Bats fly at night.", True),
        ("Bats do not fly at night.", "Bats fly at night.", False),
        ("night at fly bats", "Bats fly at night.", False),
        ("", "Yes.", False),
        ("Yes " + "no " * 40, "Yes.", False),
        ("!?", "...", True),
    ],
)
def test_words_count_not_case_or_marks(answer: str, golden: str, met: bool) -> None:
    assert says(answer, golden) is met


def test_code_is_taken_out_of_its_fence() -> None:
    assert code_in("a\n```python\nx = 1\n```\nb ```\ny\n```") == "x = 1\n"
    assert code_in("x = 1") == "x = 1"
    assert code_in("```\nx = 1") == "x = 1"


async def test_parity_holds_only_where_both_count_alike(tmp_path: Path) -> None:
    file = tmp_path / "parity.json"
    file.write_text(
        json.dumps({"messages": [{"role": "user", "content": "hi"}], "token_count": 10})
    )
    assert (await measure(ScriptedBackend({}, prompt_tokens=10), "m", file)).holds
    assert not (await measure(ScriptedBackend({}, prompt_tokens=11), "m", file)).holds
    file.write_text("{")
    with pytest.raises(DataLoss):
        await measure(ScriptedBackend({}), "m", file)


async def test_a_call_is_judged_by_its_name_and_arguments() -> None:
    examples = [called(n) for n in range(6)]
    arguments = [json.dumps(e.calls[0]["function"]["arguments"]) for e in examples]
    backend = ScriptedBackend({})
    backend.calls = {
        ("m", "Add 0."): (("add", arguments[0]),),
        ("m", "Add 1."): (("add", arguments[0]),),
        ("m", "Add 2."): (("sub", arguments[2]),),
        ("m", "Add 3."): (("add", arguments[3]), ("add", arguments[3])),
        ("m", "Add 4."): (("add", "[1]"),),
    }
    evaluation = Evaluation(backend, TableRunner({}), parallel=2, answer_tokens=16)
    assert await evaluation.scores("m", examples, ignore) == [1, 0, 0, 0, 0, 0]
    backend.takes_tools = False
    assert await evaluation.scores("m", examples, ignore) == [0] * 6
