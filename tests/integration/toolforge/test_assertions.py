"""Foreign assertions run in a sandbox of their own and reach the tool over JSON."""

import pytest
from batos.toolforge.v1 import toolforge_pb2 as pb

from shared.errors import BatosError, FailedPrecondition, InvalidArgument
from tests.integration.toolforge.workshop import ADD, WRONG, Workshop, failure, fresh_id, spec

pytestmark = pytest.mark.asyncio(loop_scope="session")

CHECK = (
    "def check(candidate):\n    assert candidate(1, 2) == 3\n    assert candidate(5, b=5) == 10\n"
    "    for n in range(4):\n        assert candidate(n, n * n) == n + n * n\n"
)


def request(name: str, source: str, assertions: str, examples: bool = False):
    wanted = spec(name)
    if not examples:
        del wanted.examples[:]
    return pb.RegisterToolRequest(
        request_id=fresh_id(),
        spec=wanted,
        source=source.replace("add", name),
        assertions=assertions,
    )


async def rejected(shop: Workshop, source: str, assertions: str) -> BatosError:
    error = await failure(shop.stub.RegisterTool(request("refused", source, assertions)))
    assert "tools/refused" not in await shop.tools()
    return error


async def test_calls_that_the_assertions_make_become_the_examples(shop: Workshop) -> None:
    tool = (await shop.stub.RegisterTool(request("asserted", ADD, CHECK))).tool
    pairs = [(e.arguments_json, e.result_json) for e in tool.spec.examples]
    assert pairs[:2] == [('{"a": 1, "b": 2}', "3"), ('{"a": 5, "b": 5}', "10")]
    assert len(pairs) == 6
    assert tool.assertions == CHECK
    answer = await shop.stub.GetTool(pb.GetToolRequest(name=tool.name))
    by_kind = {evidence.kind: evidence for evidence in answer.evidence}
    assertions = by_kind[pb.EVIDENCE_KIND_ASSERTIONS]
    assert (assertions.passed_count, assertions.total_count) == (6, 6)
    assert assertions.sandbox_id != by_kind[pb.EVIDENCE_KIND_TRIAL].sandbox_id
    assert (await shop.invoke("asserted", a=1, b=1)).value_json == "2"


async def test_examples_and_assertions_must_both_hold(shop: Workshop) -> None:
    tool = (await shop.stub.RegisterTool(request("both_ways", ADD, CHECK, examples=True))).tool
    assert len(tool.spec.examples) == 3
    error = await failure(shop.stub.RegisterTool(request("both_fail", WRONG, CHECK, examples=True)))
    assert error.reason == "TOOL_REJECTED"


async def test_what_the_tool_raises_the_assertions_can_expect(shop: Workshop) -> None:
    check = (
        "def check(candidate):\n    assert candidate(1, 2) == 3\n    try:\n"
        "        candidate(1, None)\n    except TypeError as error:\n"
        "        assert 'NoneType' in str(error)\n    else:\n        raise AssertionError\n"
    )
    assert (await shop.stub.RegisterTool(request("raising", ADD, check))).tool.name


@pytest.mark.parametrize(
    ("source", "assertions", "finding"),
    [
        (WRONG, CHECK, "the assertions raised AssertionError:  at line 2: assert candidate(1, 2)"),
        (ADD, "def check(candidate):\n    pass\n", "never call the candidate"),
        (ADD, "def check(", "the assertions raised SyntaxError"),
        (ADD, "x = 1\n", "the assertions raised NameError"),
        (ADD, "def check(candidate):\n    while True:\n        pass\n", "timed out"),
        (ADD, "import os\nos._exit(0)\n", "the assertions crashed"),
        (
            ADD,
            "import random\ndef check(candidate):\n    while True:\n"
            "        candidate(random.random(), 1)\n",
            "too many calls that only show while they run",
        ),
        (
            ADD,
            "def check(candidate):\n    for _ in range(300):\n        candidate(1, 1)\n",
            "more than 256 times",
        ),
        (ADD, "def check(candidate):\n    candidate({1, 2}, 1)\n", "raised TypeError"),
        (
            ADD.replace("return a + b", "__import__('os')._exit(0)"),
            CHECK,
            "the assertions raised RuntimeError: the tool crashed",
        ),
    ],
)
async def test_what_fails_its_assertions_is_rejected_with_the_finding(
    shop: Workshop, source: str, assertions: str, finding: str
) -> None:
    error = await rejected(shop, source, assertions)
    assert (type(error), error.reason) == (FailedPrecondition, "TOOL_REJECTED")
    assert finding in error.metadata["finding"]


async def test_the_tool_cannot_reach_the_assertions(shop: Workshop) -> None:
    """It patches all that it can reach in its interpreter: the comparison is in another."""
    patching = ADD.replace(
        "return a + b",
        "import builtins, sys\n    for frame in sys._current_frames().values():\n"
        "        while frame:\n            frame.f_globals['check'] = lambda candidate: None\n"
        "            frame = frame.f_back\n    builtins.AssertionError = ValueError\n    return 7",
    ).replace("import builtins, sys", "builtins, sys = __import__('builtins'), __import__('sys')")
    error = await rejected(shop, patching, CHECK)
    assert "AssertionError" in error.message


async def test_assertions_that_are_too_long_are_refused(shop: Workshop) -> None:
    error = await failure(shop.stub.RegisterTool(request("too_long", ADD, CHECK + "#" * 70000)))
    assert isinstance(error, InvalidArgument)
    assert [violation.field for violation in error.violations] == ["assertions"]
