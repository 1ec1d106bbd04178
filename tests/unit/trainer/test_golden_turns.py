"""Which turns of a Soma are golden, and what of them is learnt."""

from __future__ import annotations

from batos.supervisor.v1 import supervisor_pb2 as pb

from services.trainer.grpc_golden_source import soma_examples
from shared.spoken_calls import HEADING


def turn(number: int, **more: object) -> pb.Turn:
    fields = {"number": number, "user_text": f"q{number}", "assistant_text": f"a{number}", **more}
    return pb.Turn(system_text="You are BRICK.", **fields)


def soma(*turns: pb.Turn) -> pb.Soma:
    return pb.Soma(name="somas/a", turns=turns)


def test_good_and_corrected_turns_come_with_what_was_said_before():
    found = soma_examples(
        soma(turn(1), turn(2, rating=pb.RATING_GOOD), turn(3, correction="better"), turn(4))
    )
    assert [(e.source, e.answer) for e in found] == [("rating", "a2"), ("correction", "better")]
    assert [m["content"] for m in found[1].prompt] == [
        "You are BRICK.",
        "q1",
        "a1",
        "q2",
        "a2",
        "q3",
    ]
    assert {e.origin for e in found} == {"somas/a"}


def test_bad_turns_are_not_golden_and_a_correction_counts_before_a_rating():
    bad, both = turn(1, rating=pb.RATING_BAD), turn(2, rating=pb.RATING_GOOD, correction="better")
    assert [(e.source, e.answer) for e in soma_examples(soma(bad, both))] == [
        ("correction", "better")
    ]


def call(
    name: str, arguments: str, result: str, at: int = 0, *, failed: bool = False
) -> pb.ToolCall:
    outcome = pb.TOOL_CALL_OUTCOME_FAILED if failed else pb.TOOL_CALL_OUTCOME_OK
    return pb.ToolCall(
        tool=f"tools/{name}",
        arguments_json=arguments,
        result=result,
        outcome=outcome,
        position=at,
    )


ADD = pb.OfferedTool(
    tool="tools/add", description="Add.", schema_json='{"type": "object", "properties": {}}'
)
FUNCTION = {
    "name": "add",
    "description": "Add.",
    "parameters": {"type": "object", "properties": {}},
}


def test_each_call_and_the_answer_after_it_are_learnt() -> None:
    told = turn(
        1,
        rating=pb.RATING_GOOD,
        assistant_text="Let me see. It is 13.",
        tools=[ADD],
        tool_calls=[
            call("add", '{"a": "x"}', "a: must be a number", 11, failed=True),
            call("add", '{"a": 5}', "13", 11),
        ],
    )
    first, second = soma_examples(soma(told))
    asked = {"type": "function", "function": {"name": "add", "arguments": {"a": 5}}}
    wrong = {"type": "function", "function": {"name": "add", "arguments": {"a": "x"}}}
    assert first.tools == second.tools == ({"type": "function", "function": FUNCTION},)
    assert (first.answer, first.calls) == ("", (asked,))
    assert list(first.prompt[2:]) == [
        {"role": "assistant", "content": "Let me see.", "tool_calls": [wrong]},
        {"role": "tool", "name": "add", "content": "error: a: must be a number"},
    ]
    assert (second.answer, second.calls) == (" It is 13.", ())
    assert list(second.prompt[4:]) == [
        {"role": "assistant", "content": "", "tool_calls": [asked]},
        {"role": "tool", "name": "add", "content": "13"},
    ]


def test_a_model_without_tools_of_its_own_learns_the_text_protocol() -> None:
    told = pb.Turn(
        number=1,
        user_text="Add 5 and 8.",
        assistant_text="It is 13.",
        system_text=f"You are BRICK.\n\n{HEADING}\n- add: Add.",
        rating=pb.RATING_GOOD,
        tools=[ADD],
        tool_calls=[call("add", '{"a": 5}', "13")],
    )
    first, second = soma_examples(soma(told))
    assert first.tools == second.tools == first.calls == ()
    assert first.answer == '{"tool": "add", "arguments": {"a": 5}}'
    assert [message["role"] for message in second.prompt] == ["system", "user", "assistant", "user"]
    assert second.prompt[-1]["content"].startswith("Result of add")
    assert second.answer == "It is 13."


def test_a_turn_that_ends_with_a_call_and_one_that_was_only_offered_tools() -> None:
    ends = turn(
        1,
        rating=pb.RATING_GOOD,
        assistant_text="",
        tools=[ADD],
        tool_calls=[call("add", "{}", "3")],
    )
    offered = turn(2, rating=pb.RATING_GOOD, tools=[ADD])
    corrected = turn(3, correction="better", tool_calls=ends.tool_calls)
    found = soma_examples(soma(ends, offered, corrected))
    assert [(e.answer, len(e.calls)) for e in found] == [("", 1), ("a2", 0), ("better", 0)]
    assert [len(e.tools) for e in found] == [1, 1, 0]
