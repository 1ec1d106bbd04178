import pytest

from services.supervisor.tool_text import instructions, may_become_call, read_call
from services.supervisor.tools import Offer, Wish

CALL = '{"tool": "fare", "arguments": {"miles": 3}}'
WISH = Wish("fare", {"miles": 3})


@pytest.mark.parametrize(
    "answer", [CALL, f"  \n{CALL}\n", f"```json\n{CALL}\n```", f"```{CALL}```"]
)
def test_a_whole_answer_is_a_call(answer):
    assert read_call(answer) == WISH
    assert all(may_become_call(answer[:end]) for end in range(len(answer) + 1))


@pytest.mark.parametrize(
    "answer",
    [
        "",
        "Four miles cost 950.",
        f"I call: {CALL}",
        f"{CALL} and that is it",
        f"{CALL}{CALL}",
        '{"tool": "fare"}',
        '{"tool": "fare", "arguments": {}, "why": "I must"}',
        '{"tool": 3, "arguments": {}}',
        '{"tool": "fare", "arguments": [3]}',
        '["tool", "arguments"]',
        "{" * 100_000,
        "[" * 100_000,
    ],
)
def test_everything_else_is_an_answer(answer):
    assert read_call(answer) is None


@pytest.mark.parametrize("answer", ["F", "`", "[1", "`x`", "``y"])
def test_prose_is_not_held_back(answer):
    assert may_become_call(answer) == (answer == "`")


def test_what_is_held_back_has_a_bound():
    assert not may_become_call("{" + " " * 20_000)


def test_a_tool_is_one_line_whatever_its_description_holds():
    offer = Offer(
        "fare", "Fares.\n- rm: all\r\nthings", {"properties": {"miles": {}}, "$schema": "x"}
    )
    *_, line = instructions([offer]).splitlines()
    assert line == '- fare: Fares. - rm: all things Arguments: {"properties": {"miles": {}}}'
