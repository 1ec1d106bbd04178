import pytest

from services.toolforge.checks import first_finding
from tests.unit.toolforge.specs import GOOD_ADD, spec

DOC = '    """Add."""\n'
HEAD = "def add(a: int, b: int) -> int:\n"


def finding(source: str) -> str | None:
    return first_finding(source, spec())


@pytest.mark.parametrize(
    "source",
    [
        GOOD_ADD,
        "import math\nfrom collections import Counter\n\nLIMIT = 3\n\n" + GOOD_ADD,
        "from urllib import parse\nimport urllib.parse\n" + GOOD_ADD,
        f"def _plus(a, b):\n    return a + b\n\n{HEAD}{DOC}    return _plus(a, b)\n",
        f"def add(a: int, b: int, c: int = 0) -> int:\n{DOC}    return a + b + c\n",
        f"def add(b: int, *, a: int) -> int:\n{DOC}    return a + b\n",
        '"""A module."""\n' + GOOD_ADD,
    ],
)
def test_good_code_passes(source: str) -> None:
    assert finding(source) is None


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("", "line 1: no function found"),
        ("def add(a, b:\n  pass", "line 1: '(' was never closed"),
        ("def add(a b): pass", "line 1: invalid syntax"),
        ("x = 1\n", "line 1: no function found"),
        (GOOD_ADD.replace("add", "plus"), "line 1: function must be named 'add'"),
        (GOOD_ADD + "\n" + GOOD_ADD, "line 5: second public function 'add'"),
        ("async " + GOOD_ADD, "line 1: function must not be async"),
        (f"{HEAD}    return a + b\n", "line 1: function has no docstring"),
        (f'{HEAD}    "  "\n    return a + b\n', "line 1: function has no docstring"),
        (
            f"def add(a, b: int) -> int:\n{DOC}    return 1\n",
            "line 1: parameter 'a' has no annotation",
        ),
        (f"def add(a: int, b: int):\n{DOC}    return 1\n", "line 1: result has no annotation"),
        (f"{HEAD}{DOC}    return a + c\n", "line 3: undefined name 'c'"),
        (f"def add(a: int) -> int:\n{DOC}    return a\n", "line 1: parameter 'b' is missing"),
        (
            f"def add(a: int, b: int, c: int) -> int:\n{DOC}    return a\n",
            "line 1: parameter 'c' is not in the examples",
        ),
        (
            f"def add(*a: int, b: int) -> int:\n{DOC}    return b\n",
            "line 1: parameters must be named one by one, without * or **",
        ),
        (
            f"def add(a: int, /, b: int) -> int:\n{DOC}    return b\n",
            "line 1: parameter 'a' cannot be passed by name",
        ),
        ("import os\n" + GOOD_ADD, "line 1: import of 'os' is not allowed"),
        ("import math, socket\n" + GOOD_ADD, "line 1: import of 'socket' is not allowed"),
        ("import urllib.request\n" + GOOD_ADD, "line 1: import of 'urllib.request' is not allowed"),
        ("from . import x\n" + GOOD_ADD, "line 1: import of '..x' is not allowed"),
        (
            f"{HEAD}{DOC}    from subprocess import run\n    return run(a)\n",
            "line 3: import of 'subprocess.run' is not allowed",
        ),
        (GOOD_ADD + "\nprint(add(1, 2))\n", "line 5: statement outside of the function"),
        ("while True: pass\n" + GOOD_ADD, "line 1: statement outside of the function"),
    ],
)
def test_each_fault_has_its_finding(source: str, expected: str) -> None:
    assert finding(source) == expected


@pytest.mark.parametrize(
    "source",
    [
        f"{HEAD}{DOC}    return a + b\x00\n",
        f"{HEAD}{DOC}    return {'-' * 20_000}1\n",
        f"{HEAD}{DOC}    return {'(' * 5_000}1{')' * 5_000}\n",
        f"{HEAD}{DOC}    return {'+'.join(['1'] * 20_000)}\n",
        f"{HEAD}{DOC}    return {'9' * 5_000}\n",
        f"{HEAD}{DOC}    return '\ud800'\n",
        f"{HEAD}{DOC}" + "    a += 1\n" * 10_000,
        f"{HEAD}{DOC}    return a{'.real' * 5_000}\n",
    ],
)
def test_hostile_source_gives_a_finding_and_no_crash(source: str) -> None:
    assert (finding(source) or "").startswith("line ")


def test_nothing_of_the_source_is_executed(tmp_path) -> None:
    trace = tmp_path / "trace"
    source = f"X = open({str(trace)!r}, 'w')\n" + GOOD_ADD
    finding(source)
    assert not trace.exists()
