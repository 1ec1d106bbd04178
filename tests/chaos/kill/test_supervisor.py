"""`kill -9` of the Supervisor inside each of its mutations."""

from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path

import grpc
import pytest
from batos.supervisor.v1 import supervisor_pb2 as pb
from batos.supervisor.v1.supervisor_pb2_grpc import SupervisorServiceStub
from google.protobuf.duration_pb2 import Duration

from shared.rpc_status import from_rpc_error
from tests.abuse.wire.valid_requests import soma
from tests.chaos.kill.victim import Victim, killed_everywhere, victim
from tests.integration.supervisor.client import fresh
from tests.integration.supervisor.peers import backend
from tests.integration.supervisor.test_swap import report

__all__ = ["backend"]

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]

TTL = Duration(seconds=60)


@pytest.fixture
async def supervisor(tmp_path: Path, backend) -> AsyncIterator[Victim]:
    """Memory is away: what it would be told waits in the outbox, which has a transaction less."""
    settings = {"OLLAMA_HOST": backend.url, "BATOS_MEMORY_ADDRESS": "127.0.0.1:9"}
    async with victim("supervisor", tmp_path, **settings) as service:
        yield service


@pytest.fixture
def stub(supervisor: Victim) -> SupervisorServiceStub:
    return SupervisorServiceStub(supervisor.channel)


async def converse(stub, request: pb.ConverseRequest) -> pb.Finished:
    async for response in stub.Converse(request, timeout=30):
        if response.WhichOneof("event") == "finished":
            return response.finished
    raise AssertionError("the turn has no end")


async def events(stub) -> Counter[tuple[int, str]]:
    """How often each thing happened, by kind and subject."""
    found: Counter[tuple[int, str]] = Counter()
    watch = stub.WatchEvents(pb.WatchEventsRequest(), timeout=0.5)
    try:
        async for response in watch:
            found[response.event.kind, response.event.subject] += 1
    except grpc.aio.AioRpcError as error:
        assert error.code() is grpc.StatusCode.DEADLINE_EXCEEDED  # noqa: PT017 - it never ends
    return found


async def turn(stub) -> pb.Finished:
    return await converse(
        stub, pb.ConverseRequest(request_id=fresh(), persona="ROBIN", text="Hello.")
    )


async def generation(stub) -> int:
    return (await stub.GetPersona(pb.GetPersonaRequest(name="BRICK"))).persona.model.generation


async def lease(stub) -> pb.GpuLease:
    """A fresh lease; whatever was held before is given back."""
    request = pb.AcquireGpuLeaseRequest(request_id=fresh(), holder="trainingRuns/a", ttl=TTL)
    return (await stub.AcquireGpuLease(request)).lease


async def release(stub, token: int) -> None:
    await stub.ReleaseGpuLease(pb.ReleaseGpuLeaseRequest(request_id=fresh(), fencing_token=token))


async def test_a_turn(supervisor, stub):
    async def make():
        return pb.ConverseRequest(request_id=fresh(), persona="ROBIN", text="Hello.")

    async def check(request, finished):
        soma = (await stub.GetSoma(pb.GetSomaRequest(name=finished.soma))).soma
        assert list(soma.turns) == [finished.turn]
        assert (await events(stub))[pb.EVENT_KIND_TURN_FINISHED, soma.name] == 1

    await killed_everywhere(
        supervisor, "Converse", make, lambda r: converse(stub, r), check, points=2
    )
    somas = (await stub.ListSomas(pb.ListSomasRequest())).somas
    told = await events(stub)
    assert {s.name for s in somas} == {name for kind, name in told}


async def test_a_rating(supervisor, stub):
    async def make():
        soma = (await turn(stub)).soma
        return pb.RateSomaRequest(
            request_id=fresh(), soma=soma, turn_number=1, rating=pb.RATING_GOOD
        )

    async def check(request, answer):
        assert answer.turn.rating == pb.RATING_GOOD
        assert (await events(stub))[pb.EVENT_KIND_SOMA_GRADED, request.soma] == 1

    await killed_everywhere(supervisor, "RateSoma", make, stub.RateSoma, check, points=2)


async def test_an_import(supervisor, stub):
    async def make():
        return pb.ImportSomaRequest(request_id=fresh(), soma=soma())

    async def check(request, answer):
        kept = (await stub.GetSoma(pb.GetSomaRequest(name=request.soma.name))).soma
        assert [turn.user_text for turn in kept.turns] == ["Hello."]
        assert (await events(stub))[pb.EVENT_KIND_SOMA_IMPORTED, request.soma.name] == 1

    await killed_everywhere(supervisor, "ImportSoma", make, stub.ImportSoma, check, points=2)


async def test_a_correction(supervisor, stub):
    async def make():
        soma = (await turn(stub)).soma
        return pb.CorrectSomaRequest(request_id=fresh(), soma=soma, turn_number=1, text="Good day.")

    async def check(request, answer):
        soma = (await stub.GetSoma(pb.GetSomaRequest(name=request.soma))).soma
        assert soma.turns[0].correction == "Good day."
        assert (await events(stub))[pb.EVENT_KIND_SOMA_GRADED, request.soma] == 1

    await killed_everywhere(supervisor, "CorrectSoma", make, stub.CorrectSoma, check, points=2)


async def test_closing_a_soma(supervisor, stub):
    async def make():
        return pb.CloseSomaRequest(request_id=fresh(), soma=(await turn(stub)).soma)

    async def check(request, answer):
        soma = (await stub.GetSoma(pb.GetSomaRequest(name=request.soma))).soma
        assert soma.closed_at == answer.soma.closed_at
        assert (await events(stub))[pb.EVENT_KIND_SOMA_CLOSED, request.soma] == 1

    await killed_everywhere(supervisor, "CloseSoma", make, stub.CloseSoma, check, points=2)


async def test_claiming_the_gpu(supervisor, stub):
    tokens: list[int] = []

    async def make():
        if tokens:
            await release(stub, tokens[-1])
        return pb.AcquireGpuLeaseRequest(request_id=fresh(), holder="trainingRuns/a", ttl=TTL)

    async def check(request, answer):
        assert answer.lease.fencing_token > max(tokens, default=0)
        tokens.append(answer.lease.fencing_token)
        standing = await stub.GetPersona(pb.GetPersonaRequest())
        assert standing.serving_state == pb.SERVING_STATE_TRAINING

    await killed_everywhere(
        supervisor, "AcquireGpuLease", make, stub.AcquireGpuLease, check, points=4
    )


async def test_renewing(supervisor, stub):
    held = await lease(stub)

    async def make():
        return pb.RenewGpuLeaseRequest(request_id=fresh(), fencing_token=held.fencing_token)

    async def check(request, answer):
        assert answer.lease == held

    await killed_everywhere(supervisor, "RenewGpuLease", make, stub.RenewGpuLease, check, points=2)


async def test_giving_the_gpu_back(supervisor, stub):
    async def make():
        held = await lease(stub)
        return pb.ReleaseGpuLeaseRequest(request_id=fresh(), fencing_token=held.fencing_token)

    async def check(request, answer):
        standing = await stub.GetPersona(pb.GetPersonaRequest())
        assert standing.serving_state == pb.SERVING_STATE_SERVING
        stale = pb.RenewGpuLeaseRequest(request_id=fresh(), fencing_token=request.fencing_token)
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await stub.RenewGpuLease(stale)
        assert from_rpc_error(caught.value).reason == "STALE_FENCING_TOKEN"

    await killed_everywhere(
        supervisor, "ReleaseGpuLease", make, stub.ReleaseGpuLease, check, points=4
    )


async def test_a_swap(supervisor, stub, backend):
    before: list[int] = []

    async def make():
        before.append(await generation(stub))
        held = await lease(stub)
        tag = f"brick:run-{len(before)}"
        backend.models[tag] = f"d{len(before)}"
        return report(held.fencing_token, model_tag=tag, model_digest=f"d{len(before)}")

    async def check(request, answer):
        assert answer.persona.model.tag == request.model_tag
        assert await generation(stub) == before[-1] + 1
        standing = await stub.GetPersona(pb.GetPersonaRequest())
        assert standing.serving_state == pb.SERVING_STATE_SERVING

    await killed_everywhere(
        supervisor, "ReportModelSwap", make, stub.ReportModelSwap, check, points=4
    )


async def test_a_rollback(supervisor, stub):
    held = await lease(stub)
    await stub.ReportModelSwap(report(held.fencing_token))
    before: list[int] = []

    async def make():
        before.append(await generation(stub))
        return pb.RollBackPersonaRequest(request_id=fresh(), persona="BRICK")

    async def check(request, answer):
        assert answer.persona.model.generation == before[-1] + 1
        assert await generation(stub) == before[-1] + 1

    await killed_everywhere(
        supervisor, "RollBackPersona", make, stub.RollBackPersona, check, points=2
    )
