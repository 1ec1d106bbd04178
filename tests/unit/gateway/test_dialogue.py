"""Conversations as clients send them."""

import pytest

from services.gateway.dialogue import Dialogue, Said
from shared.errors import InvalidArgument


def said(*messages: tuple[str, str]) -> Dialogue:
    return Dialogue.of([Said(*message) for message in messages])


def test_one_question_has_nothing_before_it():
    assert said(("user", "Hi")) == Dialogue((), "Hi", "Hi", False)


def test_sides_are_joined_and_greetings_and_system_messages_left_out():
    dialogue = said(
        ("system", "Be a pirate."),
        ("assistant", "Greetings."),
        ("user", "a"),
        ("developer", "Really."),
        ("user", "b"),
        ("assistant", "c"),
        ("assistant", ""),
        ("user", "d"),
        ("user", "e"),
    )
    assert dialogue.earlier == (("a\n\nb", "c"),)
    assert (dialogue.text, dialogue.last, dialogue.has_system) == ("d\n\ne", "e", True)


def test_an_answer_leads_to_the_history_of_the_next_request():
    first = said(("user", "a"))
    second = said(("user", "a"), ("assistant", " b\n"), ("user", "c"))
    third = said(
        ("user", "a"), ("assistant", "b"), ("user", "c"), ("assistant", "d"), ("user", "e")
    )
    assert first.continued("ROBIN", "b") == second.history("ROBIN")
    assert second.continued("ROBIN", "d") == third.history("ROBIN")


def test_histories_differ_by_persona_by_words_and_by_where_the_words_stand():
    histories = {
        said(("user", "a"), ("assistant", "b"), ("user", "c")).history("ROBIN"),
        said(("user", "a"), ("assistant", "b"), ("user", "c")).history("BABS"),
        said(("user", "b"), ("assistant", "a"), ("user", "c")).history("ROBIN"),
        said(("user", "ab"), ("assistant", ""), ("user", "c")).history("ROBIN"),
        said(("user", "c")).history("ROBIN"),
    }
    assert len(histories) == 5


@pytest.mark.parametrize(
    ("messages", "field"),
    [
        ([], "messages"),
        ([("user", "a"), ("assistant", "b")], "messages"),
        ([("system", "a")], "messages"),
        ([("king", "a"), ("user", "b")], "messages[0].role"),
        ([("user", "a"), ("assistant", "b"), ("user", " \n")], "messages[2].content"),
    ],
)
def test_what_ends_with_no_question_is_refused(messages, field):
    with pytest.raises(InvalidArgument) as caught:
        said(*messages)
    assert caught.value.violations[0].field == field
