"""Tests that the model thinks of: asked for as JSON by schema, read as hostile, never a verdict.

To choose among programs by tests from the same model is Chen et al.'s CodeT (2022,
arXiv:2207.10397); here only among those that the owner's examples have passed already.
"""

from collections.abc import Sequence
from typing import Any

from services.toolforge.forge import ProposedTest
from services.toolforge.json_value import JsonValue, NotJsonError, parse, same, to_text
from services.toolforge.sandbox import Call, Limits, Program, Sandbox
from services.toolforge.spec import Example, Spec, read_example
from services.toolforge.trial import case_finding
from shared.errors import InvalidArgument

MAX_TESTS = 16


def schema_of_tests(spec: Spec, count: int) -> dict[str, Any]:
    """The JSON Schema of an answer: at most `count` tests."""
    arguments = {
        "type": "object",
        "properties": {name: {} for name in spec.parameters},
        "required": list(spec.parameters),
        "additionalProperties": False,
    }
    return {
        "type": "array",
        "maxItems": count,
        "items": {
            "type": "object",
            "properties": {"arguments": arguments, "result": {}},
            "required": ["arguments", "result"],
        },
    }


def read_tests(answer: str, spec: Spec, count: int) -> tuple[ProposedTest, ...]:
    """At most `count` tests out of an answer; what is none, or an example already, is left out."""
    try:
        rows = parse(answer)
    except NotJsonError:
        return ()
    if not isinstance(rows, list):
        return ()
    known = [example.arguments for example in spec.examples]
    tests: list[ProposedTest] = []
    for row in rows:
        example = _example(row, spec)
        if example and not any(same(example.arguments, other) for other in known):
            known.append(example.arguments)
            tests.append(ProposedTest(example))
    return tuple(tests[:count])


async def put_to_tests(
    sandbox: Sandbox,
    spec: Spec,
    program: Program,
    tests: Sequence[ProposedTest],
    limits: Limits,
) -> tuple[ProposedTest, ...]:
    """The tests as a program fares; all of them in one fresh sandbox of their own.

    Raises shared.errors.BatosError where the sandbox could not run anything.
    """
    if not tests:
        return ()
    calls = [Call(spec.name, test.example.arguments_json) for test in tests]
    run = await sandbox.run(program, calls, limits)
    results = [*run.results, *[None] * len(tests)]
    return tuple(
        ProposedTest(test.example, case_finding(spec, test.example, result, run) or "")
        for test, result in zip(tests, results, strict=False)
    )


def agreed(tests: Sequence[ProposedTest]) -> int:
    """How many tests a program agreed with."""
    return sum(not test.disagreement for test in tests)


def _example(row: JsonValue, spec: Spec) -> Example | None:
    if not isinstance(row, dict) or row.keys() != {"arguments", "result"}:
        return None
    try:
        return read_example(spec, to_text(row["arguments"]), to_text(row["result"]))
    except InvalidArgument:
        return None
