"""Forges over real processes: ToolForge, the sandbox, Memory, the Supervisor; a scripted model."""

import json

import pytest
from batos.supervisor.v1 import supervisor_pb2
from batos.supervisor.v1.supervisor_pb2_grpc import SupervisorServiceStub
from batos.toolforge.v1 import toolforge_pb2 as pb

from shared.channel import open_channel
from shared.errors import InvalidArgument, NotFound, ResourceExhausted
from tests.integration.toolforge import ollama_peer as peer
from tests.integration.toolforge.workshop import ADD, WRONG, Workshop, failure, fresh_id, spec

pytestmark = pytest.mark.asyncio(loop_scope="session")


def named(name: str, source: str = ADD) -> str:
    return source.replace("add", name)


async def test_a_first_draft_that_meets_every_example_becomes_a_tool(shop: Workshop) -> None:
    shop.model.script(f"Here you are:\n```python\n{named('first')}```")
    forge = await shop.forge(spec("first"))
    assert forge.state == pb.FORGE_STATE_SUCCEEDED, forge.failure
    (attempt,) = forge.attempts
    assert (attempt.kind, attempt.verdict) == (pb.ATTEMPT_KIND_DRAFT, pb.VERDICT_PASSED)
    assert (attempt.passed_count, attempt.source) == (3, named("first"))
    assert (forge.tool, forge.model, forge.persona) == ("tools/first", "starter", "BRICK")
    tool = (await shop.stub.GetTool(pb.GetToolRequest(name="tools/first"))).tool
    assert tool.evidence_sandbox_id
    assert tool.origin == pb.TOOL_ORIGIN_FORGED
    assert json.loads(tool.schema_json)["required"] == ["a", "b"]
    answer = await shop.invoke("first", a=20, b=22)
    assert (answer.outcome, answer.value_json) == (pb.INVOCATION_OUTCOME_OK, "42")
    assert answer.version == tool.version


async def test_the_finding_goes_back_to_the_model_and_the_repair_passes(shop: Workshop) -> None:
    shop.model.script(named("mended", WRONG), named("mended"))
    forge = await shop.forge(spec("mended"))
    assert forge.state == pb.FORGE_STATE_SUCCEEDED
    draft, repair = forge.attempts
    finding = "mended(1, 2) returned -1 but must return 3"
    assert (draft.verdict, draft.finding) == (pb.VERDICT_TRIAL_FAILED, finding)
    assert (repair.kind, repair.verdict) == (pb.ATTEMPT_KIND_REPAIR, pb.VERDICT_PASSED)
    first, second = shop.model.chats
    assert [message["role"] for message in first["messages"]] == ["system", "user"]
    assert first["messages"][0]["content"].startswith("You are BRICK")
    assert second["messages"][:2] == first["messages"]
    assert second["messages"][2]["content"] == named("mended", WRONG).rstrip()
    assert second["messages"][3]["content"] == (
        f"The function failed.\n{finding}\nWrite the whole corrected function."
    )
    assert [chat["options"]["temperature"] for chat in (first, second)] == [0.0, 0.0]


async def test_a_failed_repair_is_followed_by_a_fresh_sample(shop: Workshop) -> None:
    wrong = named("sampled", WRONG)
    shop.model.script(wrong, wrong.replace("-", "*"), "No.", named("sampled"))
    forge = await shop.forge(spec("sampled"))
    assert [attempt.kind for attempt in forge.attempts] == [
        pb.ATTEMPT_KIND_DRAFT,
        pb.ATTEMPT_KIND_REPAIR,
        pb.ATTEMPT_KIND_RESAMPLE,
        pb.ATTEMPT_KIND_RESAMPLE,  # an answer without code leaves nothing to repair
    ]
    assert forge.state == pb.FORGE_STATE_SUCCEEDED
    options = [chat["options"] for chat in shop.model.chats]
    assert [option["temperature"] for option in options] == [0.0, 0.0, 0.8, 0.8]
    assert len({option["seed"] for option in options}) == 4


async def test_when_the_attempts_are_used_up_nothing_is_registered(shop: Workshop) -> None:
    shop.model.script(named("hopeless", WRONG))
    forge = await shop.forge(spec("hopeless"), attempt_limit=3)
    assert forge.state == pb.FORGE_STATE_FAILED
    assert forge.failure_reason == "ATTEMPTS_USED_UP"
    assert "returned -1 but must return 3" in forge.failure
    assert len(forge.attempts) == len(shop.model.chats) == 3
    assert "tools/hopeless" not in await shop.tools()
    graded = {t.source_name: t for t in await shop.trajectories(include_failed=True)}
    passed = {t.source_name for t in await shop.trajectories(include_failed=False)}
    assert not graded[forge.name].passed
    assert forge.name not in passed


async def test_a_watch_resumes_and_misses_nothing(shop: Workshop) -> None:
    shop.model.script(named("watched", WRONG), named("watched"))
    forge = await shop.forge(spec("watched"))
    events = await shop.events(forge.name)
    assert [event.sequence for event in events] == [1, 2, 3, 4]
    assert [event.state for event in events] == [
        pb.FORGE_STATE_QUEUED,
        pb.FORGE_STATE_RUNNING,
        pb.FORGE_STATE_RUNNING,
        pb.FORGE_STATE_SUCCEEDED,
    ]
    assert [event.attempt for event in events[2:]] == list(forge.attempts)
    for after in range(5):
        assert await shop.events(forge.name, after) == events[after:]
    missing = pb.WatchForgeRequest(name="forges/none")
    assert isinstance(await failure(shop.stub.WatchForge(missing).read()), NotFound)


async def test_a_repeated_start_is_the_same_forge(shop: Workshop) -> None:
    shop.model.script(named("once"))
    request = pb.StartForgeRequest(request_id=fresh_id(), spec=spec("once"))
    first = (await shop.stub.StartForge(request)).forge
    await shop.events(first.name)
    again = (await shop.stub.StartForge(request)).forge
    assert (again.name, again.state) == (first.name, pb.FORGE_STATE_SUCCEEDED)
    assert len(shop.model.chats) == 1
    request.spec.description = "Something else."
    error = await failure(shop.stub.StartForge(request))
    assert (type(error), error.reason) == (InvalidArgument, "REQUEST_ID_REUSED")


async def test_a_faulty_spec_is_refused_field_by_field(shop: Workshop) -> None:
    bad = pb.Spec(name="Bad Name", examples=[pb.Example(arguments_json="[", result_json="1")])
    error = await failure(shop.start(bad))
    assert isinstance(error, InvalidArgument)
    assert [violation.field for violation in error.violations] == [
        "spec.name",
        "spec.description",
        "spec.examples[0].arguments_json",
    ]
    assert isinstance(await failure(shop.start(spec(), attempt_limit=17)), InvalidArgument)


async def test_a_persona_that_nobody_knows_is_told_so(shop: Workshop) -> None:
    request = pb.StartForgeRequest(request_id=fresh_id(), spec=spec(), persona="NOBODY")
    assert isinstance(await failure(shop.stub.StartForge(request)), NotFound)


async def test_too_many_forges_are_refused_before_they_begin(shop: Workshop) -> None:
    shop.model.script(peer.says_after(1.0, "nothing"))
    started = [await shop.start(spec(f"many{n}"), attempt_limit=1) for n in range(12)]
    error = await failure(shop.start(spec("too_many")))
    assert isinstance(error, ResourceExhausted)
    assert error.retry_after
    for forge in started:
        request = pb.CancelForgeRequest(request_id=fresh_id(), name=forge.name)
        await shop.stub.CancelForge(request)
    newest = (await shop.stub.ListForges(pb.ListForgesRequest(page_size=1))).forges[0]
    assert newest.name == started[-1].name


async def test_forges_are_listed_newest_first_page_by_page(shop: Workshop) -> None:
    shop.model.script("nothing")
    names = [(await shop.forge(spec(f"page{n}"), attempt_limit=1)).name for n in range(3)]
    listed: list[str] = []
    token = ""
    for _ in range(3):
        page = await shop.stub.ListForges(pb.ListForgesRequest(page_size=1, page_token=token))
        listed += [forge.name for forge in page.forges]
        token = page.next_page_token
    assert listed == names[::-1]


async def test_a_forge_waits_while_the_gpu_is_lent_out(shop: Workshop) -> None:
    shop.model.script(named("patient"))
    async with open_channel(shop.stack.addresses["supervisor"]) as channel:
        supervisor = SupervisorServiceStub(channel)
        acquire = supervisor_pb2.AcquireGpuLeaseRequest(request_id=fresh_id(), holder="tests/1")
        lease = (await supervisor.AcquireGpuLease(acquire)).lease
        waiting = await shop.start(spec("patient"))
        refused = await shop.forge(spec("impatient"))
        assert (refused.state, refused.failure_reason) == (
            pb.FORGE_STATE_FAILED,
            "MODEL_NOT_SERVING",
        )
        assert shop.model.chats == []
        await supervisor.ReleaseGpuLease(
            supervisor_pb2.ReleaseGpuLeaseRequest(
                request_id=fresh_id(), fencing_token=lease.fencing_token
            )
        )
    await shop.events(waiting.name)
