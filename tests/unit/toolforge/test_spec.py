import pytest

from services.toolforge.spec import read_spec
from shared.errors import InvalidArgument

GOOD = ('{"a": 1, "b": 2}', "3")


def faults(name: str = "add", description: str = "Add.", examples=(GOOD,)) -> list[str]:
    with pytest.raises(InvalidArgument) as caught:
        read_spec(name, description, examples)
    return [violation.field for violation in caught.value.violations]


@pytest.mark.parametrize(
    "name", ["", "Add", "1st", "class", "a-b", "a" * 65, "_x", "ünder", "a\nb"]
)
def test_a_name_must_be_a_plain_identifier(name: str) -> None:
    assert faults(name=name) == ["spec.name"]


def test_every_fault_is_told_at_once() -> None:
    bad = [GOOD, ("[1]", "3"), ("{", "NaN"), ('{"a": 1}', "1"), ('{"not ok": 1}', "1")]
    assert faults("X", " ", bad) == [
        "spec.name",
        "spec.description",
        "spec.examples[1].arguments_json",
        "spec.examples[2].arguments_json",
        "spec.examples[3].arguments_json",
        "spec.examples[4].arguments_json",
    ]


@pytest.mark.parametrize("examples", [[], [GOOD] * 65])
def test_one_to_64_examples(examples: list) -> None:
    assert faults(examples=examples) == ["spec.examples"]


def test_sizes_are_bounded() -> None:
    assert faults(description="x" * 4097) == ["spec.description"]
    big = ('{"a": "' + "x" * 60_000 + '"}', "1")
    assert faults(examples=[big] * 5) == ["spec.examples"]
    assert "spec.examples[0].result_json" in faults(examples=[("{}", '"' + "x" * 70_000 + '"')])


def test_the_first_example_gives_the_order_of_the_arguments() -> None:
    spec = read_spec("add", "Add.", [GOOD, ('{"b": 1, "a": 0}', "1")])
    assert spec.parameters == ("a", "b")
    assert list(spec.examples[1].arguments) == ["a", "b"]
