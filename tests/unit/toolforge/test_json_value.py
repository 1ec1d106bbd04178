import pytest

from services.toolforge.json_value import NotJsonError, parse, same


@pytest.mark.parametrize(
    "text",
    ["NaN", "[Infinity]", "-Infinity", "1e999", '{"a": 1, "a": 2}', "", "{", "[" * 100_000, "1 2"],
)
def test_what_is_no_json_is_refused(text: str) -> None:
    with pytest.raises(NotJsonError):
        parse(text)


def test_nesting_is_bounded_where_it_is_said_to_be() -> None:
    assert parse("[" * 64 + "]" * 64) is not None
    with pytest.raises(NotJsonError, match="deep"):
        parse("[" * 65 + "1" + "]" * 65)


def test_a_number_too_long_for_an_int_is_refused_in_words() -> None:
    with pytest.raises(NotJsonError):
        parse("9" * 5000)


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ("1", "1.0"),
        ("1", "true"),
        ("0", "false"),
        ("1.0", "true"),
        ("null", "false"),
        ('"1"', "1"),
        ("[1]", "[1.0]"),
        ('{"a": [1, {"b": 1}]}', '{"a": [1, {"b": true}]}'),
        ("[1, 2]", "[1]"),
        ('{"a": 1}', '{"a": 1, "b": 1}'),
        ("[]", "{}"),
    ],
)
def test_types_and_shapes_are_told_apart(left: str, right: str) -> None:
    assert not same(parse(left), parse(right))
    assert same(parse(left), parse(left))


def test_order_counts_in_lists_and_not_in_objects() -> None:
    assert same(parse('{"a": 1, "b": 2}'), parse('{"b": 2, "a": 1}'))
    assert not same(parse("[1, 2]"), parse("[2, 1]"))
