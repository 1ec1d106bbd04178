"""The lease, over the wire, with a backend that has a GPU to lend."""

import asyncio
import time
from dataclasses import dataclass, field

import pytest
from batos.supervisor.v1 import supervisor_pb2 as pb

from shared.errors import FailedPrecondition, InvalidArgument, ResourceExhausted, Unavailable
from tests.integration.supervisor.client import fresh, refused
from tests.integration.supervisor.scripted_backend import last, piece


@dataclass
class SlowAnswer:
    """An answer that begins at once and ends when it is told to."""

    begun: asyncio.Event = field(default_factory=asyncio.Event)
    end: asyncio.Event = field(default_factory=asyncio.Event)

    async def __call__(self):
        yield piece("Well, ")
        self.begun.set()
        await self.end.wait()
        yield piece("yes.")
        yield last()


async def state(client) -> int:
    return (await client.persona()).serving_state


async def renew(client, token: int):
    request = pb.RenewGpuLeaseRequest(request_id=fresh(), fencing_token=token)
    return await client.call("RenewGpuLease", request)


async def test_turns_in_flight_finish_and_new_ones_wait_for_the_gpu(scripted, backend):
    backend.vram = {"starter:latest": 5}
    slow = SlowAnswer()
    well_behaved, backend.say = backend.say, slow
    in_flight = asyncio.create_task(scripted.say("Are you there?"))
    await slow.begun.wait()
    acquiring = asyncio.create_task(scripted.acquire())
    async with asyncio.timeout(5):
        while await state(scripted) != pb.SERVING_STATE_DRAINING:
            await asyncio.sleep(0.01)
    backend.say = well_behaved
    waiting = asyncio.create_task(scripted.say("And now?"))
    await asyncio.sleep(0.2)
    assert not acquiring.done()
    assert backend.vram  # nothing is unloaded under a turn in flight
    slow.end.set()
    assert (await in_flight).turn.assistant_text == "Well, yes."
    lease = await acquiring
    assert lease.fencing_token == 1
    assert backend.unloaded == ["starter:latest"]
    assert not backend.vram
    assert await state(scripted) == pb.SERVING_STATE_TRAINING
    await asyncio.sleep(0.2)
    assert not waiting.done()
    await scripted.release(lease.fencing_token)
    assert (await waiting).turn.assistant_text == "Hello there."
    kinds = [e.kind for e in await scripted.events(5)]
    assert kinds == [
        pb.EVENT_KIND_DRAINING,
        pb.EVENT_KIND_TURN_FINISHED,
        pb.EVENT_KIND_LEASE_ACQUIRED,
        pb.EVENT_KIND_LEASE_RELEASED,
        pb.EVENT_KIND_TURN_FINISHED,
    ]


async def test_tokens_grow_and_stale_ones_are_refused(scripted):
    first = await scripted.acquire()
    await scripted.release(first.fencing_token)
    await scripted.release(first.fencing_token)  # already gone is no error
    second = await scripted.acquire("trainingRuns/b")
    assert second.fencing_token > first.fencing_token
    for token in (first.fencing_token, second.fencing_token + 1, 0, -1):
        error = await refused(renew(scripted, token))
        assert (type(error), error.reason) == (FailedPrecondition, "STALE_FENCING_TOKEN")
    await scripted.release(first.fencing_token)  # another's lease is not touched
    assert (await renew(scripted, second.fencing_token)).lease == second


async def test_another_holder_is_told_when_to_come_back(scripted):
    lease = await scripted.acquire(ttl=30)
    error = await refused(scripted.acquire("trainingRuns/b"))
    assert (type(error), error.reason) == (ResourceExhausted, "GPU_LEASED")
    assert error.metadata["holder"] == "trainingRuns/a"
    assert 25 < error.retry_after <= 30
    await scripted.release(lease.fencing_token)
    await scripted.acquire("trainingRuns/b")


async def test_only_one_of_many_gets_the_gpu(scripted):
    outcomes = await asyncio.gather(
        *(scripted.acquire(f"trainingRuns/{n}") for n in range(8)), return_exceptions=True
    )
    leases = [o for o in outcomes if isinstance(o, pb.GpuLease)]
    assert len(leases) == 1
    assert {type(o) for o in outcomes} == {pb.GpuLease, ResourceExhausted}


async def test_the_same_claim_gets_the_same_lease(scripted):
    request_id = fresh()
    leases = await asyncio.gather(*(scripted.acquire(request_id=request_id) for _ in range(3)))
    assert leases[0] == leases[1] == leases[2]
    error = await refused(scripted.acquire("trainingRuns/b", request_id=request_id))
    assert error.reason == "REQUEST_ID_REUSED"


async def test_a_holder_who_claims_anew_fences_off_its_former_self(scripted):
    former = await scripted.acquire()
    latter = await scripted.acquire()
    assert latter.fencing_token > former.fencing_token
    assert (await refused(renew(scripted, former.fencing_token))).reason == "STALE_FENCING_TOKEN"
    await renew(scripted, latter.fencing_token)


async def test_a_lease_that_is_not_renewed_expires_and_serving_goes_on(scripted):
    started = time.monotonic()
    lease = await scripted.acquire(ttl=5)
    await asyncio.sleep(2)
    await renew(scripted, lease.fencing_token)
    finished = await scripted.say("Are you back?")
    assert 6.9 < time.monotonic() - started < 9
    assert finished.turn.assistant_text == "Hello there."
    assert (await refused(renew(scripted, lease.fencing_token))).reason == "STALE_FENCING_TOKEN"
    expired = (await scripted.events(3))[2]
    assert (expired.kind, expired.subject) == (pb.EVENT_KIND_LEASE_EXPIRED, "trainingRuns/a")


async def test_models_that_stay_on_the_gpu_undo_the_claim(scripted, backend):
    backend.vram, backend.holds_on = {"other:latest": 7}, True
    error = await refused(scripted.acquire())
    assert (type(error), error.reason) == (Unavailable, "GPU_NOT_FREED")
    assert error.retry_after > 0
    assert (await scripted.say("Hello.")).turn.number == 1
    backend.holds_on = False
    assert (await scripted.acquire()).fencing_token == 2


async def test_turns_that_do_not_end_undo_the_claim(supervise, backend):
    client = await supervise(ollama=backend.url, lease_drain_seconds=0.3)
    slow = SlowAnswer()
    backend.say = slow
    turn = asyncio.create_task(client.say("Hello."))
    await slow.begun.wait()
    error = await refused(client.acquire())
    assert (type(error), error.reason) == (Unavailable, "DRAIN_TIMEOUT")
    assert await state(client) == pb.SERVING_STATE_SERVING
    slow.end.set()
    await turn


async def test_a_claimant_who_leaves_while_turns_drain_undoes_the_claim(scripted, backend):
    slow = SlowAnswer()
    backend.say = slow
    turn = asyncio.create_task(scripted.say("Hello."))
    await slow.begun.wait()
    request = pb.AcquireGpuLeaseRequest(request_id=fresh(), holder="trainingRuns/a")
    assert (await refused(scripted.call("AcquireGpuLease", request, timeout=0.3))) is not None
    async with asyncio.timeout(5):
        while await state(scripted) != pb.SERVING_STATE_SERVING:
            await asyncio.sleep(0.01)
    slow.end.set()
    await turn
    assert (await scripted.acquire("trainingRuns/b")).holder == "trainingRuns/b"


async def test_without_a_backend_nothing_is_lent(supervise):
    client = await supervise()
    error = await refused(client.acquire())
    assert (type(error), error.reason) == (Unavailable, "MODEL_BACKEND_UNAVAILABLE")
    assert await state(client) == pb.SERVING_STATE_SERVING


async def test_the_queue_is_bounded_and_refusals_say_when(supervise, backend):
    client = await supervise(ollama=backend.url, lease_queue_limit=2, lease_max_wait=0.5)
    await client.acquire(ttl=60)
    turns = [asyncio.create_task(client.say("Hello.")) for _ in range(5)]
    await asyncio.wait(turns)
    errors = [error for turn in turns if (error := turn.exception())]
    assert {(type(e), e.reason) for e in errors} == {(Unavailable, "GPU_LEASED")}
    assert all(50 < e.retry_after <= 60 for e in errors)
    assert all("wait already" in e.message for e in errors)
    assert len(errors) == 3


async def test_who_has_waited_long_enough_is_answered_on_the_cpu(supervise, backend):
    client = await supervise(ollama=backend.url, lease_max_wait=0.3)
    await client.say("Hello.")
    lease = await client.acquire(ttl=60)
    await client.say("Hello.")
    await client.release(lease.fencing_token)
    await client.say("Hello.")
    asked = [chat["options"].get("num_gpu") for chat in backend.chats]
    assert asked == [None, 0, None]


async def test_the_cpu_policy_answers_at_once_and_holds_no_claim_up(supervise, backend):
    client = await supervise(ollama=backend.url, lease_policy="cpu")
    lease = await client.acquire()
    started = time.monotonic()
    await client.say("Hello.")
    assert time.monotonic() - started < 1
    assert backend.chats[-1]["options"]["num_gpu"] == 0
    await client.release(lease.fencing_token)


async def test_the_reject_policy_refuses_at_once(supervise, backend):
    client = await supervise(ollama=backend.url, lease_policy="reject")
    await client.acquire()
    started = time.monotonic()
    assert (await refused(client.say("Hello."))).reason == "GPU_LEASED"
    assert time.monotonic() - started < 1


async def test_a_real_backend_on_a_cpu_lends_at_once(client):
    await client.say("Hello.")
    started = time.monotonic()
    lease = await client.acquire()
    assert time.monotonic() - started < 3
    await client.release(lease.fencing_token)
    assert (await client.say("Hello again.")).turn.number == 1


@pytest.mark.parametrize(
    ("holder", "ttl", "field"),
    [("", 30, "holder"), ("h" * 201, 30, "holder"), ("h", 4, "ttl"), ("h", 601, "ttl")],
)
async def test_claims_that_can_never_be_granted(scripted, holder, ttl, field):
    error = await refused(scripted.acquire(holder, ttl))
    assert isinstance(error, InvalidArgument)
    assert [v.field for v in error.violations] == [field]
