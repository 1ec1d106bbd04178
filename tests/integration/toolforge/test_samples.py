"""Several samples, proposed tests, known specs, tolerance; real processes, a scripted model."""

import json

import pytest
from batos.toolforge.v1 import toolforge_pb2 as pb

from shared.errors import InvalidArgument
from tests.integration.toolforge import ollama_peer as peer
from tests.integration.toolforge.workshop import ADD, WRONG, Workshop, failure, fresh_id, spec

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def forged(shop: Workshop, wanted: pb.Spec, **options: object) -> pb.Forge:
    request = pb.StartForgeRequest(request_id=fresh_id(), spec=wanted, **options)
    forge = (await shop.stub.StartForge(request)).forge
    await shop.events(forge.name)
    return await shop.get(forge.name)


async def test_the_best_of_several_samples_is_kept_and_the_others_beside_it(
    shop: Workshop,
) -> None:
    name = "sampled_sum"
    wrong, right = WRONG.replace("add", name), ADD.replace("add", name)
    shop.model.script(wrong, "I cannot.", right, wrong)
    forge = await forged(shop, spec(name), samples_per_attempt=4, attempt_limit=1)
    assert forge.state == pb.FORGE_STATE_SUCCEEDED
    (attempt,) = forge.attempts
    assert (attempt.source, attempt.verdict) == (right, pb.VERDICT_PASSED)
    assert len(attempt.other_samples) == 3
    assert sorted(sample.verdict for sample in attempt.other_samples) == [
        pb.VERDICT_CHECK_FAILED,
        pb.VERDICT_TRIAL_FAILED,
        pb.VERDICT_TRIAL_FAILED,
    ]
    options = [chat["options"] for chat in shop.model.chats]
    assert sorted(option["temperature"] for option in options) == [0.0, 0.8, 0.8, 0.8]
    assert len({option["seed"] for option in options}) == 4
    (graded,) = [
        t for t in await shop.trajectories(include_failed=False) if t.source_name == forge.name
    ]
    assert [draft.verdict for draft in graded.drafts][-1] == pb.VERDICT_PASSED
    assert len(graded.drafts) == 4
    tool = (await shop.stub.GetTool(pb.GetToolRequest(name=forge.tool))).tool
    assert (tool.lineage.forge, tool.lineage.model) == (forge.name, "starter")
    assert (tool.lineage.attempt, tool.lineage.model_generation) == (1, 1)


async def test_samples_that_cannot_be_had_do_not_spoil_the_others(shop: Workshop) -> None:
    good = peer.says(ADD.replace("add", "lone_sample"))
    shop.model.script(peer.refuses("404 Not Found", "gone"), good)
    forge = await forged(shop, spec("lone_sample"), samples_per_attempt=2)
    assert forge.state == pb.FORGE_STATE_SUCCEEDED
    assert len(forge.attempts[0].other_samples) == 0
    error = await failure(forged(shop, spec("too_wide"), samples_per_attempt=9))
    assert isinstance(error, InvalidArgument)
    assert [violation.field for violation in error.violations] == ["samples_per_attempt"]


async def test_a_backend_that_breaks_off_is_asked_again(shop: Workshop) -> None:
    good = peer.says(ADD.replace("add", "patient_sum"))
    shop.model.script(peer.breaks_off("def"), peer.refuses("500 Oops", "busy"), good)
    forge = await forged(shop, spec("patient_sum"))
    assert forge.state == pb.FORGE_STATE_SUCCEEDED
    assert len(forge.attempts) == 1
    assert len(shop.model.chats) == 3


async def test_a_known_spec_answers_with_its_tool_unless_a_new_version_is_wanted(
    shop: Workshop,
) -> None:
    name = "known_sum"
    shop.model.script(ADD.replace("add", name))
    first = await forged(shop, spec(name))
    again = await forged(shop, spec(name))
    assert (again.state, again.tool, again.existing) == (
        pb.FORGE_STATE_SUCCEEDED,
        f"tools/{name}",
        True,
    )
    assert (list(again.attempts), first.existing) == ([], False)
    assert len(shop.model.chats) == 1
    forged_names = {t.source_name for t in await shop.trajectories(include_failed=True)}
    assert again.name not in forged_names
    shop.model.script(ADD.replace("add", name).replace("a + b", "b + a"))
    newer = await forged(shop, spec(name), new_version=True)
    assert (newer.existing, len(newer.attempts)) == (False, 1)
    other = await forged(shop, spec(name, description="Add, but say it otherwise."))
    assert not other.existing
    await shop.stub.RetireTool(pb.RetireToolRequest(request_id=fresh_id(), name=f"tools/{name}"))
    after = await forged(shop, spec(name, description="Add, but say it otherwise."))
    assert not after.existing


async def test_the_models_own_tests_choose_among_what_passes_and_decide_nothing(
    shop: Workshop,
) -> None:
    name = "absolute_sum"
    wanted = spec(name, ({"a": 1, "b": 2}, 3), ({"a": 2, "b": 5}, 7))
    tests = [
        {"arguments": {"a": -1, "b": -2}, "result": 3},
        {"arguments": {"a": 1, "b": 2}, "result": 99},  # an example already
        {"arguments": {"a": -4, "b": 0}, "result": 4},
        {"arguments": {"a": 0, "b": 0}, "result": 1},  # wrong, as models are
        {"arguments": {"c": 0}, "result": 1},
        {"result": 1},
    ]
    plain = ADD.replace("add", name)
    absolute = plain.replace("a + b", "abs(a) + abs(b)")
    shop.model.script(json.dumps(tests), plain, absolute)
    forge = await forged(shop, wanted, samples_per_attempt=2, proposed_test_limit=8)
    assert forge.state == pb.FORGE_STATE_SUCCEEDED
    assert forge.attempts[0].source == absolute
    assert forge.attempts[0].other_samples[0].verdict == pb.VERDICT_PASSED
    assert [test.disagreement for test in forge.proposed_tests] == [
        "",
        "",
        f"{name}(0, 0) returned 0 but must return 1",
    ]
    assert shop.model.chats[0]["format"]["maxItems"] == 8
    answer = await shop.stub.GetTool(pb.GetToolRequest(name=forge.tool))
    proposed, trial = sorted(answer.evidence, key=lambda evidence: -evidence.kind)
    assert (proposed.kind, proposed.passed_count, proposed.total_count) == (
        pb.EVIDENCE_KIND_PROPOSED,
        2,
        3,
    )
    assert (trial.kind, trial.passed_count, trial.total_count) == (pb.EVIDENCE_KIND_TRIAL, 2, 2)


@pytest.mark.parametrize("answer", ["no tests", "[[1]]", '{"a": 1}', "[" * 5000])
async def test_a_model_without_tests_forges_all_the_same(shop: Workshop, answer: str) -> None:
    name = f"testless_{abs(hash(answer)) % 10**6}"
    shop.model.script(answer, ADD.replace("add", name))
    forge = await forged(shop, spec(name), proposed_test_limit=4)
    assert (forge.state, list(forge.proposed_tests)) == (pb.FORGE_STATE_SUCCEEDED, [])


async def test_floats_may_be_off_where_the_spec_says_so_and_types_never(shop: Workshop) -> None:
    third = 'def third(n: float) -> float:\n    """A third."""\n    return n * 0.3333\n'
    wanted = spec("third", ({"n": 1.0}, 1 / 3), ({"n": 3.0}, 1.0))
    assert (await failure(shop.register(wanted, third))).reason == "TOOL_REJECTED"
    wanted.tolerance.relative = 0.001
    tool = await shop.register(wanted, third)
    assert tool.spec.tolerance.relative == 0.001
    whole = third.replace("n * 0.3333", "round(n / 3)")
    assert "returned 0 but" in (await failure(shop.register(wanted, whole))).message
    wanted.tolerance.relative = 2
    error = await failure(shop.register(wanted, third))
    assert [violation.field for violation in error.violations] == ["spec.tolerance.relative"]
