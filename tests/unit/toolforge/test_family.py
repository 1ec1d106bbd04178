import pytest

from services.toolforge.family import family_of

BASE = '''
import math

def area(radius: float) -> float:
    """Area of a disc."""
    squares = [r * r for r in [radius]]
    return math.pi * sum(squares)
'''


@pytest.mark.parametrize(
    "same",
    [
        BASE.replace("area", "disc").replace("radius", "half_width"),
        BASE.replace("squares", "x").replace("r * r for r in", "q * q for q in"),
        BASE.replace("Area of a disc.", "Compute it.").replace(
            "\n    return", "\n\n    # now\n    return"
        ),
        BASE.replace("import math", "import math as m").replace("math.pi", "m.pi"),
    ],
)
def test_names_docstrings_and_layout_do_not_count(same: str) -> None:
    assert same != BASE
    assert family_of(same) == family_of(BASE)


@pytest.mark.parametrize(
    "other",
    [
        BASE.replace("r * r", "r * 2"),
        BASE.replace("math.pi", "math.e"),
        BASE.replace("sum(", "max("),
        BASE.replace("import math", "import cmath as math"),
    ],
)
def test_constants_and_structure_count(other: str) -> None:
    assert other != BASE
    assert family_of(other) != family_of(BASE)


def test_which_variable_is_used_counts() -> None:
    first = "def f(a: int, b: int) -> int:\n    return a - b\n"
    assert family_of(first) != family_of(first.replace("a - b", "b - a"))
    assert family_of(first) == family_of("def g(b: int, a: int) -> int:\n    return b - a\n")


def test_code_that_does_not_parse_has_a_family_too() -> None:
    assert family_of("def (") == family_of("def (") != family_of("def ((")
    assert len(family_of("\ud800")) == 64
