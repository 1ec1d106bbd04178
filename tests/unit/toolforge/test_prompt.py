import pytest

from services.toolforge import finding
from services.toolforge.finding import Raised
from services.toolforge.prompt import draft_messages, draft_text, repair_messages, repair_text
from services.toolforge.signature import signature_of, type_of
from services.toolforge.spec import read_spec
from tests.unit.toolforge.specs import spec


def test_the_draft_prompt_to_the_byte() -> None:
    wanted = spec(
        ({"text": "it's", "limit": 2}, ["it"]),
        ({"limit": 1, "text": 'say "no"'}, []),
        ({"text": "never shown", "limit": 3}, ["x"]),
        name="first_words",
        description="Split the text\ninto words.",
    )
    assert draft_text(wanted) == (
        "Write a Python function.\n"
        "Task: Split the text into words.\n"
        "Signature: def first_words(text: str, limit: int) -> list[str]\n"
        "Examples:\n"
        "first_words(\"it's\", 2) == ['it']\n"
        "first_words('say \"no\"', 1) == []"
    )


def test_the_repair_prompt_to_the_byte() -> None:
    assert repair_text("line 3: undefined name 'foo'") == (
        "The function failed.\nline 3: undefined name 'foo'\nWrite the whole corrected function."
    )


def test_the_chat_of_a_repair_holds_the_failed_code_and_its_finding() -> None:
    chat = repair_messages("You are BRICK.", spec(), "def add(): ...", "line 1: x")
    assert [message.role for message in chat] == ["system", "user", "assistant", "user"]
    assert chat[:2] == draft_messages("You are BRICK.", spec())
    assert chat[2].content == "def add(): ..."


def test_without_a_system_prompt_there_is_no_system_message() -> None:
    assert [message.role for message in draft_messages("", spec())] == ["user"]


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (["a"], "str"),
        ([1, 2], "int"),
        ([1, 2.5], "float"),
        ([True], "bool"),
        ([None], "None"),
        ([True, 1], "object"),
        (["a", None], "str | None"),
        ([["a"], []], "list[str]"),
        ([[1, 2.5]], "list[float]"),
        ([[1, 2], [2.5]], "list[float]"),
        ([[[1], [2, 3]]], "list[list[int]]"),
        ([[]], "list"),
        ([[1, "a"]], "list"),
        ([[1, None]], "list"),
        ([[[], []]], "list[list]"),
        ([{"a": 1}], "dict[str, int]"),
        ([{"a": "b"}, {}], "dict[str, str]"),
        ([{}], "dict"),
        ([{"a": 1, "b": "c"}], "dict"),
        ([{"a": [1]}], "dict[str, list[int]]"),
    ],
)
def test_types_are_read_off_the_examples(values: list, expected: str) -> None:
    assert type_of(values) == expected


def test_a_function_without_parameters_has_a_signature_too() -> None:
    assert signature_of(read_spec("pi", "Pi.", [("{}", "3.14")])) == "def pi() -> float"


def test_findings_read_as_agreed() -> None:
    example = spec().examples[0]
    assert finding.returned("add", example, 3.0) == "add(1, 2) returned 3.0 but must return 3"
    error = Raised("TypeError", "bad\noperand", 3, "return a + c")
    assert (
        finding.raised("add", example, error)
        == "add(1, 2) raised TypeError: bad operand at line 3: return a + c"
    )
    assert finding.stopped("add", example, "timed out") == "add(1, 2) timed out"
    assert finding.static(3, "undefined name 'foo'") == "line 3: undefined name 'foo'"


def test_a_finding_is_one_line_of_at_most_300_characters() -> None:
    example = spec().examples[0]
    long = finding.raised("add", example, Raised("E", "x\u2028y\r\n" * 1000, 0, ""))
    assert len(long) == 300
    assert len(long.splitlines()) == 1
