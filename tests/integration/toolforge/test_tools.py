"""Registering, invoking, finding and exporting tools, over real processes."""

import json

import pytest
from batos.toolforge.v1 import toolforge_pb2 as pb

from shared.errors import FailedPrecondition, InvalidArgument, NotFound
from tests.integration.toolforge.workshop import ADD, WRONG, Workshop, failure, fresh_id, spec

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_the_owners_code_goes_through_the_same_checks_and_trial(shop: Workshop) -> None:
    tool = await shop.register(spec("owned_sum"), ADD.replace("add", "owned_sum"))
    assert tool.origin == pb.TOOL_ORIGIN_REGISTERED
    assert tool.evidence_sandbox_id
    for source, finding in [
        (WRONG, "add(1, 2) returned -1 but must return 3"),
        (ADD.replace("a + b", "a + c"), "line 3: undefined name 'c'"),
        ("import os\n" + ADD, "line 1: import of 'os' is not allowed"),
        (ADD.replace("a + b", "float(a + b)"), "add(1, 2) returned 3.0 but must return 3"),
        (ADD.replace("a + b", "1 // 0"), "raised ZeroDivisionError"),
        ("", "line 1: no function found"),
    ]:
        error = await failure(shop.register(spec("add"), source))
        assert (type(error), error.reason) == (FailedPrecondition, "TOOL_REJECTED")
        assert finding in error.metadata["finding"]
        assert finding in error.message
    assert "tools/add" not in await shop.tools()


async def test_registering_again_gives_the_first_answer(shop: Workshop) -> None:
    source = ADD.replace("add", "twice_sent")
    request = pb.RegisterToolRequest(request_id=fresh_id(), spec=spec("twice_sent"), source=source)
    first = await shop.stub.RegisterTool(request)
    assert await shop.stub.RegisterTool(request) == first
    changed = pb.RegisterToolRequest()
    changed.CopyFrom(request)
    changed.source += "\n"
    assert (await failure(shop.stub.RegisterTool(changed))).reason == "REQUEST_ID_REUSED"


async def test_a_new_version_is_current_at_once(shop: Workshop) -> None:
    name = "improved"
    first = await shop.register(spec(name), ADD.replace("add", name))
    source = ADD.replace("add", name).replace("a + b", "sum([a, b])")
    second = await shop.register(spec(name), source)
    assert first.version != second.version
    current = (await shop.stub.GetTool(pb.GetToolRequest(name=f"tools/{name}"))).tool
    assert current == second


async def test_arguments_are_validated_before_anything_runs(shop: Workshop) -> None:
    await shop.register(spec("strict"), ADD.replace("add", "strict"))
    error = await failure(shop.invoke("strict", a="1", b=2.0, c=3))
    assert isinstance(error, InvalidArgument)
    assert {violation.field for violation in error.violations} == {
        "arguments_json",
        "arguments_json.a",
        "arguments_json.b",
    }
    assert isinstance(await failure(shop.invoke("no_such_tool")), NotFound)


async def test_an_invocation_ends_in_a_typed_way(shop: Workshop) -> None:
    source = (
        "def risky(n: int) -> int:\n"
        '    """Divide, loop or return."""\n'
        "    while n == 1:\n"
        "        pass\n"
        "    return 6 // n\n"
    )
    await shop.register(spec("risky", ({"n": 2}, 3)), source)
    failed = await shop.invoke("risky", n=0)
    assert failed.outcome == pb.INVOCATION_OUTCOME_FAILED
    assert failed.error.startswith("ZeroDivisionError")
    assert "line 5: return 6 // n" in failed.error
    stopped = await shop.invoke("risky", n=1)
    assert (stopped.outcome, stopped.value_json) == (pb.INVOCATION_OUTCOME_STOPPED, "")
    assert stopped.error.startswith("timed out")


async def test_an_invocation_that_is_repeated_runs_once(shop: Workshop) -> None:
    source = (
        "import functools\n\n"
        "def lucky(n: int) -> int:\n"
        '    """Return n, or something that differs from run to run for 0."""\n'
        "    return n or id(functools) ^ hash('x')\n"
    )
    await shop.register(spec("lucky", ({"n": 2}, 2)), source)
    request = pb.InvokeToolRequest(
        request_id=fresh_id(), name="tools/lucky", arguments_json=json.dumps({"n": 0})
    )
    first = await shop.stub.InvokeTool(request)
    assert await shop.stub.InvokeTool(request) == first
    assert await shop.invoke("lucky", n=0) != first


async def test_tools_are_found_by_meaning(shop: Workshop) -> None:
    vowels = (
        "def count_vowels(text: str) -> int:\n"
        '    """Count the vowels."""\n'
        "    return sum(letter in 'aeiou' for letter in text)\n"
    )
    wanted = spec(
        "count_vowels", ({"text": "banana"}, 3), description="Count the vowels in a text."
    )
    await shop.register(wanted, vowels)
    request = pb.SearchToolsRequest(query="how many vowels does a word have", limit=3)
    hits = (await shop.stub.SearchTools(request)).hits
    assert hits[0].tool.name == "tools/count_vowels"
    assert len(hits) <= 3
    empty = await failure(shop.stub.SearchTools(pb.SearchToolsRequest(query="  ")))
    assert isinstance(empty, InvalidArgument)


async def test_tools_are_listed_by_name_page_by_page(shop: Workshop) -> None:
    for name in ("zz_one", "zz_two", "zz_three"):
        await shop.register(spec(name), ADD.replace("add", name))
    listed: list[str] = []
    token = "zz"
    for _ in range(3):
        page = await shop.stub.ListTools(pb.ListToolsRequest(page_size=1, page_token=token))
        listed += [tool.name for tool in page.tools]
        token = page.next_page_token
    assert listed == ["tools/zz_one", "tools/zz_three", "tools/zz_two"]
    assert token == ""
    negative = await failure(shop.stub.ListTools(pb.ListToolsRequest(page_size=-1)))
    assert isinstance(negative, InvalidArgument)


async def test_an_owners_tool_is_graded_training_data(shop: Workshop) -> None:
    for name in ("graded_sum", "graded_total"):
        await shop.register(spec(name), ADD.replace("add", name))
    graded = {t.source_name: t for t in await shop.trajectories(include_failed=False)}
    one, other = graded["tools/graded_sum"], graded["tools/graded_total"]
    assert one.passed
    assert one.family == other.family
    (message,) = one.prompt
    assert message.role == "user"
    assert message.content.startswith("Write a Python function.\nTask: Add two numbers.\n")
    assert "Signature: def graded_sum(a: int, b: int) -> int\n" in message.content
    assert one.code == ADD.replace("add", "graded_sum").rstrip()
