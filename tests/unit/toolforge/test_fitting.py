import pytest

from services.toolforge.fitting import fit
from services.toolforge.spec import read_spec

SPEC = read_spec("add_up", "Add two numbers.", [('{"left": 1, "right": 2}', "3")])


def test_right_names_are_left_as_they_are():
    source = "def add_up(left: int, right: int) -> int:  # kept\n    return left + right\n"
    assert fit(source, SPEC) is source


def test_the_function_and_its_parameters_get_the_wanted_names():
    source = "def add(a: int, right: int) -> int:\n    '''Add.'''\n    return a + right\n"
    assert fit(source, SPEC) == (
        "def add_up(left: int, right: int) -> int:\n    '''Add.'''\n    return left + right\n"
    ).replace("'''", '"""')


def test_a_recursive_call_follows():
    source = "def add(a: int, b: int) -> int:\n    return add(a - 1, b + 1) if a else b\n"
    fitted = fit(source, SPEC)
    scope: dict = {}
    exec(fitted, scope)
    assert scope["add_up"](left=2, right=3) == 5
    assert "add(" not in fitted


@pytest.mark.parametrize(
    "source",
    [
        "def add(a, b):\n    left = a\n    return left + b\n",  # left means something else
        "def add(a):\n    return a\n",  # too few to tell
        "def add(*rest):\n    return sum(rest)\n",
    ],
)
def test_parameters_are_left_where_it_is_unclear(source):
    assert fit(source, SPEC).partition("(")[2] == source.partition("(")[2]


@pytest.mark.parametrize(
    "source",
    [
        "def one():\n    return 1\n\n\ndef two():\n    return 2\n",
        "def broken(:\n",
        "x = 1\n",
        "",
    ],
)
def test_anything_else_is_left_alone(source):
    assert fit(source, SPEC) == source


def test_helpers_keep_their_names():
    source = "def _half(left):\n    return left\n\n\ndef f(a, b):\n    return _half(a) + b\n"
    assert "def _half(left)" in fit(source, SPEC)
    assert "_half(left) + right" in fit(source, SPEC)
