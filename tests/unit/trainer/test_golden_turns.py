"""Which turns of a Soma are golden, and what of them is learnt."""

from __future__ import annotations

from batos.supervisor.v1 import supervisor_pb2 as pb

from services.trainer.grpc_golden_source import soma_examples


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


def test_what_a_tool_found_out_is_not_learnt_by_heart():
    called = turn(
        1,
        rating=pb.RATING_GOOD,
        tool_calls=[pb.ToolCall(tool="tools/add", result="13", outcome=pb.TOOL_CALL_OUTCOME_OK)],
    )
    offered = turn(2, rating=pb.RATING_GOOD, tools=[pb.OfferedTool(tool="tools/add")])
    corrected = turn(3, correction="better", tool_calls=called.tool_calls)
    found = soma_examples(soma(called, offered, corrected))
    assert [e.answer for e in found] == ["a2", "better"]
