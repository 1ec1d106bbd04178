"""Swaps and rollbacks over the wire; the last one with real models."""

import asyncio

import ollama
import pytest
from batos.supervisor.v1 import supervisor_pb2 as pb
from starlette.responses import JSONResponse

from shared.errors import FailedPrecondition, InvalidArgument, NotFound, Unavailable
from tests.integration.supervisor.client import fresh, refused

BETTER = pb.EvaluationFigures(
    heldout_incumbent=[0.0] * 20,
    heldout_candidate=[1.0] * 16 + [0.0] * 4,
    regression_incumbent=[1.0] * 10,
    regression_candidate=[1.0] * 10,
    template_parity=True,
)


def report(token: int, **fields) -> pb.ReportModelSwapRequest:
    defaults = {
        "request_id": fresh(),
        "persona": "BRICK",
        "model_tag": "brick:run-1",
        "model_digest": "d1",
        "training_run": "trainingRuns/a",
        "figures": BETTER,
    }
    return pb.ReportModelSwapRequest(fencing_token=token, **(defaults | fields))


def figures(**changes) -> pb.EvaluationFigures:
    changed = pb.EvaluationFigures()
    changed.CopyFrom(BETTER)
    for name, value in changes.items():
        if name == "template_parity":
            changed.template_parity = value
        else:
            del getattr(changed, name)[:]
            getattr(changed, name).extend(value)
    return changed


async def swap(client, request):
    return (await client.call("ReportModelSwap", request)).persona


async def roll_back(client, name: str = "BRICK", request_id: str = ""):
    request = pb.RollBackPersonaRequest(request_id=request_id or fresh(), persona=name)
    return (await client.call("RollBackPersona", request)).persona


async def test_a_better_model_is_swapped_in_and_turns_that_wait_speak_with_it(scripted, backend):
    before = await scripted.say("Who are you?", persona="BRICK")
    lease = await scripted.acquire()
    waiting = asyncio.create_task(scripted.say("And now?", persona="BRICK"))
    await asyncio.sleep(0.1)
    persona = await swap(scripted, report(lease.fencing_token))
    assert persona.model == pb.ModelPointer(tag="brick:run-1", digest="d1", generation=2)
    assert persona.previous == before.turn.model
    assert (await waiting).turn.model == persona.model
    assert backend.chats[-1]["model"] == "brick:run-1"
    assert backend.chats[-2]["options"]["num_predict"] == 1  # the warm-up came before the turn
    assert await scripted.persona() == pb.GetPersonaResponse(
        persona=persona, serving_state=pb.SERVING_STATE_SERVING
    )
    kinds = {event.kind for event in await scripted.events(6)}
    assert pb.EVENT_KIND_MODEL_TUNED in kinds
    assert (await scripted.persona("ROBIN")).persona.model.tag == "starter"


async def test_the_same_report_gets_the_same_answer_and_moves_nothing_again(scripted):
    lease = await scripted.acquire()
    request = report(lease.fencing_token)
    persona = await swap(scripted, request)
    assert await swap(scripted, request) == persona
    request.model_digest = "d9"
    assert (await refused(swap(scripted, request))).reason == "REQUEST_ID_REUSED"
    assert (await scripted.persona()).persona.model.generation == 2


async def test_a_swap_ends_the_lease(scripted):
    lease = await scripted.acquire()
    await swap(scripted, report(lease.fencing_token))
    error = await refused(swap(scripted, report(lease.fencing_token)))
    assert (type(error), error.reason) == (FailedPrecondition, "STALE_FENCING_TOKEN")
    await scripted.release(lease.fencing_token)
    assert (await scripted.acquire()).fencing_token > lease.fencing_token


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"figures": figures(heldout_candidate=[0.0] * 20)}, "lower bound"),
        ({"figures": figures(heldout_incumbent=[0.0] * 3, heldout_candidate=[1.0] * 3)}, "fewer"),
        ({"figures": figures(regression_candidate=[0.0] * 10)}, "regression"),
        ({"figures": figures(template_parity=False)}, "rendered differently"),
        ({"figures": pb.EvaluationFigures()}, "fewer"),
        ({"model_digest": "d9"}, "has the digest d1, not d9"),
        ({"model_tag": "absent"}, "has no model 'absent'"),
    ],
)
async def test_a_swap_is_refused_with_the_reasons_and_the_lease_goes_on(scripted, fields, reason):
    lease = await scripted.acquire()
    error = await refused(swap(scripted, report(lease.fencing_token, **fields)))
    assert (type(error), error.reason) == (FailedPrecondition, "SWAP_REFUSED")
    assert any(reason in text for text in error.metadata.values())
    told = (await scripted.events(3))[2]
    assert told.kind == pb.EVENT_KIND_SWAP_REFUSED
    assert (told.persona, told.subject) == ("BRICK", "trainingRuns/a")
    assert reason in told.message
    after = await scripted.persona()
    assert after.persona.model.tag == "starter"
    assert after.serving_state == pb.SERVING_STATE_TRAINING
    assert (await swap(scripted, report(lease.fencing_token))).model.generation == 2


@pytest.mark.parametrize(
    "changes",
    [
        {"heldout_candidate": [1.0]},
        {"regression_candidate": [float("nan")] * 10},
        {"heldout_incumbent": [1.5] * 20},
        {"heldout_incumbent": [0.0] * 10_001, "heldout_candidate": [0.0] * 10_001},
    ],
)
async def test_figures_that_cannot_be_are_invalid(scripted, changes):
    error = await refused(swap(scripted, report(1, figures=figures(**changes))))
    assert isinstance(error, InvalidArgument)
    assert error.violations[0].field.startswith("figures.")


async def test_without_the_lease_nothing_is_swapped(scripted):
    for token in (0, 1):
        error = await refused(swap(scripted, report(token)))
        assert error.reason == "STALE_FENCING_TOKEN"
    lease = await scripted.acquire()
    error = await refused(swap(scripted, report(lease.fencing_token, persona="JOKER")))
    assert isinstance(error, NotFound)


async def test_a_model_that_cannot_be_warmed_is_not_swapped_in(scripted, backend):
    lease = await scripted.acquire()
    backend.refusal = JSONResponse({"error": "out of memory"}, 500)
    error = await refused(swap(scripted, report(lease.fencing_token)))
    assert (type(error), error.reason) == (Unavailable, "MODEL_FAILED")
    backend.refusal = None
    assert (await swap(scripted, report(lease.fencing_token))).model.tag == "brick:run-1"


async def test_rolling_back_twice_is_forward_again(scripted):
    lease = await scripted.acquire()
    await swap(scripted, report(lease.fencing_token))
    request_id = fresh()
    back, same = await asyncio.gather(
        roll_back(scripted, request_id=request_id), roll_back(scripted, request_id=request_id)
    )
    assert back == same
    assert (back.model.tag, back.model.generation, back.previous.tag) == (
        "starter",
        3,
        "brick:run-1",
    )
    forward = await roll_back(scripted)
    assert forward.model == pb.ModelPointer(tag="brick:run-1", digest="d1", generation=4)
    assert (await scripted.say("Hello.", persona="BRICK")).turn.model == forward.model
    kinds = [event.kind for event in await scripted.events(6)]
    assert kinds[4:] == [pb.EVENT_KIND_ROLLED_BACK] * 2


async def test_a_rollback_needs_a_model_to_go_back_to(scripted, backend):
    assert (await refused(roll_back(scripted))).reason == "NO_PREVIOUS_MODEL"
    await scripted.say("Hello.", persona="BRICK")
    lease = await scripted.acquire()
    await swap(scripted, report(lease.fencing_token))
    backend.models["starter:latest"] = "another"
    assert (await refused(roll_back(scripted))).reason == "MODEL_CHANGED"
    del backend.models["starter:latest"]
    assert (await refused(roll_back(scripted))).reason == "MODEL_NOT_FOUND"
    assert (await scripted.persona()).persona.model.tag == "brick:run-1"


async def test_a_swap_between_real_models(client, model_server):
    before = await client.say("Who are you?", persona="BRICK")
    listed = await ollama.AsyncClient(f"http://{model_server.address}").list()
    (digest,) = (m.digest for m in listed.models if m.model == "brick-tuned:latest")
    lease = await client.acquire()
    request = report(lease.fencing_token, model_tag="brick-tuned", model_digest=digest)
    persona = await swap(client, request)
    after = await client.say("Who are you?", persona="BRICK")
    assert after.turn.model == persona.model
    assert after.turn.model.digest != before.turn.model.digest
    assert after.turn.assistant_text != before.turn.assistant_text
    back = await roll_back(client)
    assert back.model.digest == before.turn.model.digest
    assert (await client.say("Who are you?", persona="BRICK")).turn.model == back.model
