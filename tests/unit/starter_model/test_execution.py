"""What is found wrong with a draft, in the words that the forge uses for it."""

import pytest

from services.model_server.starter_model.corpus.signature import Example
from services.model_server.starter_model.execution import findings

EXAMPLES = (Example([2], 4), Example([3], 6))


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("def f(n):\n    return n * 2", None),
        ("def f(n):\n    return n + 2", "f(3) returned 5 but must return 6"),
        (
            "def f(n):\n    return n / 0",
            "f(2) raised ZeroDivisionError: division by zero at line 2",
        ),
        ("def f(n):\n    return m", "f(2) raised NameError: name 'm' is not defined at line 2"),
        ("def f(n:\n    return n", "line 1: '(' was never closed"),
        ("def g(n):\n    return n * 2", "line 1: function must be named 'f'"),
        ("def f(n):\n    while True: pass", "f(2) raised TimeoutError: too slow at line 2"),
        ("def f(n):\n    return 4.0", "f(2) returned 4.0 but must return 4"),
        ("import sys\nsys.exit(0)", "SystemExit: 0"),
        ("", "line 1: function must be named 'f'"),
    ],
)
def test_each_fault_is_named(source, found):
    (said,) = findings([(source, "f", EXAMPLES)])
    assert said == found if found is None else said.startswith(found)


def test_one_draft_does_not_change_the_next():
    hostile = "import os\nos._exit(0)"
    good = "def f(n):\n    return n * 2"
    changing = "def f(xs):\n    xs.append(1)\n    return len(xs)"
    assert findings([(good, "f", EXAMPLES), (hostile, "f", EXAMPLES)]) == [
        None,
        "the run ended early",
    ]
    twice = (Example([[1]], 2), Example([[1]], 2))
    assert findings([(changing, "f", twice), (good, "f", EXAMPLES)]) == [None, None]
