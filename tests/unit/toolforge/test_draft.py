import time

import pytest

from services.toolforge.draft import is_enough, take_code
from tests.unit.toolforge.specs import GOOD_ADD

CODE = GOOD_ADD.strip()
OTHER = CODE.replace("a + b", "a - b")


@pytest.mark.parametrize(
    "answer",
    [
        CODE,
        f"```python\n{CODE}\n```",
        f"```\n{CODE}\n```",
        f"~~~py\n{CODE}\n~~~",
        f"Sure! Here it is:\n\n```python\n{CODE}\n```\nIt adds a and b.",
        f"<think>def add(a): maybe\n```python\nnope\n```</think>\n{CODE}",
        f"I think that...</think>\n{CODE}",
        f"Here is the function:\n\n{CODE}\n\nThis function adds two numbers.",
        f"```python\n{CODE}\n```\nUse it like so:\n```python\nprint(add(1, 2))\n```",
        f"```python\n{OTHER}\n```\nWait, that is wrong.\n```python\n{CODE}\n```",
        f"```python\n{CODE}\n",
        f"1. The code:\n   ```python\n{chr(10).join('   ' + line for line in CODE.split(chr(10)))}"
        "\n   ```",
        CODE.replace("\n", "\r\n"),
        f"```python\n{CODE}\n\nprint(add(1, 2))\nassert add(1, 2) == 3\n```",
        f'```python\n{CODE}\n\nif __name__ == "__main__":\n    print(add(1, 2))\n```',
    ],
)
def test_the_code_is_taken_out_of_the_answer(answer: str) -> None:
    assert take_code(answer, "add") == GOOD_ADD


def test_imports_before_the_function_stay() -> None:
    code = "import math\n\n" + GOOD_ADD
    assert take_code(f"Here:\n{code}Done.", "add") == code


def test_the_function_that_was_asked_for_wins_over_a_later_other() -> None:
    other = 'def sub(a: int) -> int:\n    """Subtract."""\n    return a'
    assert take_code(f"```\n{CODE}\n```\n```\n{other}\n```", "add") == GOOD_ADD


@pytest.mark.parametrize(
    "answer", ["", "I cannot do that.", "```json\n{}\n```", "<think>def add(): ...", "\n\n\x00"]
)
def test_an_answer_without_code_gives_none(answer: str) -> None:
    assert take_code(answer, "add") == ""


def test_broken_code_is_kept_so_that_its_error_can_go_back() -> None:
    assert take_code("```python\ndef add(a, b:\n    return a\n```", "add").startswith("def add(")


def test_a_lone_surrogate_cannot_get_through() -> None:
    take_code(f"{CODE}  # \ud800", "add").encode()


@pytest.mark.parametrize(
    "answer",
    [
        "`" * 70_000,
        "```" + "`\n" * 40_000,
        "<think>" * 20_000,
        "def add(" * 10_000,
        "import x\n" * 10_000 + "(",
        "(" * 65_000,
        "def f():\n" + " " * 65_000,
        "-" * 65_000 + "1",
        "    " * 20_000 + "```",
    ],
)
def test_hostile_answers_cost_no_more_than_a_moment(answer: str) -> None:
    started = time.monotonic()
    take_code(answer, "add")
    assert time.monotonic() - started < 3


@pytest.mark.parametrize(
    "answer", ["x" * 70_000, "a" * 600, "ok\n" + "from." * 120, CODE + " " * 700]
)
def test_a_loop_or_a_flood_need_not_be_heard_to_its_end(answer: str) -> None:
    assert is_enough(answer)


def test_code_with_long_tables_and_rules_is_heard_to_its_end() -> None:
    table = ", ".join(str(number) for number in range(400))
    code = f"# {'-' * 90}\n{CODE}\nTABLE = [{table}]\nZEROS = [{'0, ' * 100}]"
    assert not any(is_enough(code[:end]) for end in range(len(code)))
