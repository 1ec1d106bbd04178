"""Versions, roll-back, quarantine, retirement, and the events that tell them; real processes."""

import asyncio
import json

import pytest
from batos.toolforge.v1 import toolforge_pb2 as pb

from shared.errors import FailedPrecondition, InvalidArgument, NotFound
from tests.integration.toolforge.workshop import ADD, Workshop, failure, fresh_id, spec

pytestmark = pytest.mark.asyncio(loop_scope="session")

DIVIDE = (
    'def {name}(n: int) -> int:\n    """Divide six by n; an endless loop for 1."""\n'
    "    while n == 1:\n        pass\n    return 6 // n\n"
)


async def current(shop: Workshop, name: str, version: str = "") -> pb.GetToolResponse:
    return await shop.stub.GetTool(pb.GetToolRequest(name=f"tools/{name}", version=version))


async def retire(shop: Workshop, name: str, reason: str = "Not needed.") -> pb.Tool:
    request = pb.RetireToolRequest(request_id=fresh_id(), name=f"tools/{name}", reason=reason)
    return (await shop.stub.RetireTool(request)).tool


async def reinstate(shop: Workshop, name: str) -> pb.Tool:
    request = pb.ReinstateToolRequest(request_id=fresh_id(), name=f"tools/{name}")
    return (await shop.stub.ReinstateTool(request)).tool


async def roll_back(shop: Workshop, name: str, version: str = "") -> pb.Tool:
    request = pb.RollBackToolRequest(request_id=fresh_id(), name=f"tools/{name}", version=version)
    return (await shop.stub.RollBackTool(request)).tool


async def found(shop: Workshop, query: str) -> list[str]:
    """Names of the tools that a search finds."""
    request = pb.SearchToolsRequest(query=query, limit=50)
    hits = (await shop.stub.SearchTools(request)).hits
    return [hit.tool.spec.name for hit in hits]


async def events_of(shop: Workshop, name: str, count: int, after: int = 0) -> list[pb.ToolEvent]:
    """The first `count` events of one tool."""
    found: list[pb.ToolEvent] = []
    watch = shop.stub.WatchTools(pb.WatchToolsRequest(after_sequence=after))
    async with asyncio.timeout(20):
        async for answer in watch:
            if answer.event.tool == f"tools/{name}":
                found.append(answer.event)
            if len(found) == count:
                watch.cancel()
                return found
    raise AssertionError("the watch ended")


async def test_versions_are_kept_and_can_come_back(shop: Workshop) -> None:
    name = "thrice"
    sources = [
        ADD.replace("add", name).replace("a + b", text)
        for text in ("a + b", "b + a", "sum((a, b))")
    ]
    versions = [(await shop.register(spec(name), source)).version for source in sources]
    listed: list[str] = []
    token = ""
    for _ in range(3):
        page = await shop.stub.ListToolVersions(
            pb.ListToolVersionsRequest(name=f"tools/{name}", page_size=1, page_token=token)
        )
        listed += [tool.version for tool in page.versions]
        token = page.next_page_token
    assert (listed, token) == (versions[::-1], "")
    assert (await roll_back(shop, name)).version == versions[1]
    assert (await found(shop, name)).count(name) == 1
    assert (await roll_back(shop, name)).version == versions[0]
    error = await failure(roll_back(shop, name))
    assert (type(error), error.reason) == (FailedPrecondition, "NO_EARLIER_VERSION")
    assert (await roll_back(shop, name, versions[2])).source == sources[2]
    assert (await current(shop, name, versions[0])).tool.source == sources[0]
    error = await failure(roll_back(shop, name, "0" * 64))
    assert (type(error), error.reason) == (NotFound, "VERSION_NOT_FOUND")
    assert (await current(shop, name)).tool.version == versions[2]
    kinds = [event.kind for event in await events_of(shop, name, 6)]
    assert kinds == [pb.TOOL_EVENT_KIND_REGISTERED] * 3 + [pb.TOOL_EVENT_KIND_ROLLED_BACK] * 3


async def test_a_tool_that_keeps_failing_is_quarantined_until_it_passes_again(
    shop: Workshop,
) -> None:
    name = "brittle"
    await shop.register(spec(name, ({"n": 2}, 3)), DIVIDE.format(name=name))
    for n in (0, 0, 0, 0, 2, 0, 0, 0, 0):  # never five in a row
        await shop.invoke(name, n=n)
    usage = (await current(shop, name)).usage
    assert (usage.invocation_count, usage.failure_count, usage.failures_in_a_row) == (9, 8, 4)
    stopped = await shop.invoke(name, n=1)
    assert stopped.outcome == pb.INVOCATION_OUTCOME_STOPPED
    tool = (await current(shop, name)).tool
    assert tool.state == pb.TOOL_STATE_QUARANTINED
    assert tool.state_reason.startswith("failed 5 times in a row, last: timed out")
    error = await failure(shop.invoke(name, n=2))
    assert (type(error), error.reason) == (FailedPrecondition, "TOOL_QUARANTINED")
    assert name not in await found(shop, name)
    assert f"tools/{name}" in await shop.tools()
    graded = {t.source_name for t in await shop.trajectories(include_failed=False)}
    assert f"tools/{name}" not in graded
    assert (await reinstate(shop, name)).state == pb.TOOL_STATE_ACTIVE
    assert (await shop.invoke(name, n=2)).value_json == "3"
    again = await current(shop, name)
    assert [evidence.kind for evidence in again.evidence] == [
        pb.EVIDENCE_KIND_RETRIAL,
        pb.EVIDENCE_KIND_TRIAL,
    ]
    assert all(evidence.sandbox_id for evidence in again.evidence)
    assert again.usage.failures_in_a_row == 0
    kinds = [event.kind for event in await events_of(shop, name, 3)]
    assert kinds == [
        pb.TOOL_EVENT_KIND_REGISTERED,
        pb.TOOL_EVENT_KIND_QUARANTINED,
        pb.TOOL_EVENT_KIND_REINSTATED,
    ]


async def test_rolling_back_leaves_a_quarantined_version_behind(shop: Workshop) -> None:
    name = "worse"
    good = f'def {name}(n: int) -> int:\n    """Divide six by n, 0 for 0."""\n'
    good += "    return 6 // n if n else 0\n"
    first = await shop.register(spec(name, ({"n": 2}, 3)), good)
    second = await shop.register(spec(name, ({"n": 2}, 3)), DIVIDE.format(name=name))
    for _ in range(5):
        await shop.invoke(name, n=0)
    assert (await current(shop, name)).tool.state == pb.TOOL_STATE_QUARANTINED
    back = await roll_back(shop, name)
    assert (back.version, back.state) == (first.version, pb.TOOL_STATE_ACTIVE)
    assert (await shop.invoke(name, n=0)).value_json == "0"
    assert (await roll_back(shop, name, second.version)).state == pb.TOOL_STATE_QUARANTINED


async def test_a_retired_tool_is_out_of_use_and_can_be_taken_back(shop: Workshop) -> None:
    name = "pensioner"
    await shop.register(spec(name), ADD.replace("add", name))
    retired = await retire(shop, name, "A better one is there.")
    assert (retired.state, retired.state_reason) == (
        pb.TOOL_STATE_RETIRED,
        "A better one is there.",
    )
    assert f"tools/{name}" not in await shop.tools()
    everything = await shop.stub.ListTools(pb.ListToolsRequest(page_size=500, include_retired=True))
    assert f"tools/{name}" in {tool.name for tool in everything.tools}
    error = await failure(shop.invoke(name, a=1, b=2))
    assert (type(error), error.reason) == (FailedPrecondition, "TOOL_RETIRED")
    assert "A better one is there." in error.message
    assert name not in await found(shop, name)
    assert (await reinstate(shop, name)).state == pb.TOOL_STATE_ACTIVE
    assert (await shop.invoke(name, a=1, b=2)).value_json == "3"
    assert name in await found(shop, name)
    too_long = await failure(retire(shop, name, "x" * 2000))
    assert isinstance(too_long, InvalidArgument)
    assert isinstance(await failure(retire(shop, "nobody")), NotFound)


async def test_what_happens_to_tools_is_seen_as_it_happens(shop: Workshop) -> None:
    seen = asyncio.create_task(events_of(shop, "newcomer", 2))
    await asyncio.sleep(0.2)
    tool = await shop.register(spec("newcomer"), ADD.replace("add", "newcomer"))
    await retire(shop, "newcomer")
    registered, retired = await seen
    assert (registered.kind, registered.version) == (
        pb.TOOL_EVENT_KIND_REGISTERED,
        tool.version,
    )
    assert (retired.kind, retired.reason) == (pb.TOOL_EVENT_KIND_RETIRED, "Not needed.")
    assert registered.sequence < retired.sequence
    (resumed,) = await events_of(shop, "newcomer", 1, after=registered.sequence)
    assert resumed == retired


async def test_an_invocation_may_ask_for_less(shop: Workshop) -> None:
    await shop.register(spec("looping", ({"n": 2}, 3)), DIVIDE.format(name="looping"))
    request = pb.InvokeToolRequest(
        request_id=fresh_id(), name="tools/looping", arguments_json=json.dumps({"n": 1})
    )
    request.wall_limit.FromMilliseconds(200)
    answer = await shop.stub.InvokeTool(request)
    assert answer.outcome == pb.INVOCATION_OUTCOME_STOPPED
    assert answer.wall.ToTimedelta().total_seconds() < 1.5
    request.request_id = fresh_id()
    request.wall_limit.FromSeconds(60)
    error = await failure(shop.stub.InvokeTool(request))
    assert isinstance(error, InvalidArgument)
    assert [violation.field for violation in error.violations] == ["wall_limit"]
    hungry = 'def hungry(n: int) -> int:\n    """Fill n MiB."""\n    return len("x" * (n << 20))\n'
    await shop.register(spec("hungry", ({"n": 1}, 1 << 20)), hungry)
    request = pb.InvokeToolRequest(
        request_id=fresh_id(),
        name="tools/hungry",
        arguments_json=json.dumps({"n": 100}),
        memory_limit_bytes=64 << 20,
    )
    answer = await shop.stub.InvokeTool(request)
    assert answer.outcome != pb.INVOCATION_OUTCOME_OK
