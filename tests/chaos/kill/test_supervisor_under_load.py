"""`kill -9` of the Supervisor at random moments: turns, grades, leases, swaps and rollbacks."""

from collections import Counter

import pytest
from batos.supervisor.v1 import supervisor_pb2 as pb

from tests.chaos.kill.load import Load, killed_under_load
from tests.chaos.kill.test_supervisor import (
    TTL,
    backend,
    converse,
    events,
    generation,
    stub,
    supervisor,
)
from tests.integration.supervisor.client import fresh
from tests.integration.supervisor.test_swap import report

__all__ = ["backend", "stub", "supervisor"]

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]

TALKERS, TURNS, SWAPS = 3, 4, 3


async def test_under_load(supervisor, stub, backend):
    turns: Counter[str] = Counter()

    async def said(request: pb.ConverseRequest) -> pb.Finished:
        """A turn without its grades: those come later, and a repetition tells them as well."""
        finished = await converse(stub, request)
        finished.turn.ClearField("rating")
        finished.turn.ClearField("correction")
        return finished

    async def talker(load: Load) -> None:
        soma = ""
        for number in range(1, TURNS + 1):
            request = pb.ConverseRequest(
                request_id=fresh(), soma=soma, persona="ROBIN", text=f"Number {number}."
            )
            finished = await load.ask(said, request)
            soma = finished.soma
            assert finished.turn.number == number
            rate = pb.RateSomaRequest(
                request_id=fresh(), soma=soma, turn_number=number, rating=pb.RATING_GOOD
            )
            await load.ask(stub.RateSoma, rate)
            correct = pb.CorrectSomaRequest(
                request_id=fresh(), soma=soma, turn_number=number, text="Good day."
            )
            await load.ask(stub.CorrectSoma, correct)
        turns[soma] = TURNS

    async def tuner(load: Load) -> None:
        for number in range(SWAPS):
            token = await leased(load)
            renew = pb.RenewGpuLeaseRequest(request_id=fresh(), fencing_token=token)
            await load.ask(stub.RenewGpuLease, renew, lasting=False)
            tag = f"brick:run-{number}"
            backend.models[tag] = tag
            swap = report(token, model_tag=tag, model_digest=tag)
            swapped = (await load.ask(stub.ReportModelSwap, swap)).persona
            assert swapped.model.generation == 2 * number + 2
            back = pb.RollBackPersonaRequest(request_id=fresh(), persona="BRICK")
            await load.ask(stub.RollBackPersona, back)
            release = pb.ReleaseGpuLeaseRequest(
                request_id=fresh(), fencing_token=await leased(load)
            )
            await load.ask(stub.ReleaseGpuLease, release)

    async def leased(load: Load) -> int:
        """A lease answers a repetition only while it lives."""
        claim = pb.AcquireGpuLeaseRequest(request_id=fresh(), holder="trainingRuns/a", ttl=TTL)
        lease = (await load.ask(stub.AcquireGpuLease, claim, lasting=False)).lease
        return lease.fencing_token

    callers = [*[talker] * TALKERS, tuner]
    total = TALKERS * TURNS * 3 + SWAPS * 6
    await killed_under_load(supervisor, callers, total=total, seed=4)
    told = await events(stub)
    for soma, count in turns.items():
        assert told[pb.EVENT_KIND_TURN_FINISHED, soma] == count
        assert told[pb.EVENT_KIND_SOMA_GRADED, soma] == 2 * count
    assert {s.name for s in (await stub.ListSomas(pb.ListSomasRequest())).somas} == set(turns)
    assert await generation(stub) == 1 + 2 * SWAPS
