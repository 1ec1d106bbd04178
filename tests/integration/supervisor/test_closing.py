"""Closing a Soma: no turn follows, and Memory sums it up, sooner or later."""

from __future__ import annotations

import asyncio

from batos.memory.v1 import memory_pb2, memory_pb2_grpc
from batos.supervisor.v1 import supervisor_pb2 as pb

from shared.channel import open_channel
from shared.errors import FailedPrecondition, InvalidArgument, NotFound
from tests.integration.supervisor.client import fresh, refused
from tests.integration.supervisor.scripted_backend import last, piece


def closing(soma: str) -> pb.CloseSomaRequest:
    return pb.CloseSomaRequest(request_id=fresh(), soma=soma)


async def summary_of(address: str, soma: str) -> str:
    """The text of Memory's summary of a Soma, once there is one."""
    async with open_channel(address) as channel, asyncio.timeout(20):
        stub = memory_pb2_grpc.MemoryServiceStub(channel)
        while True:
            request = memory_pb2.ListRequest(namespace="personas/ROBIN", page_size=500)
            for record in (await stub.List(request)).records:
                if record.soma == soma and record.level == memory_pb2.LEVEL_SUMMARY:
                    return record.text
            await asyncio.sleep(0.2)


async def test_a_closed_soma_is_summed_up_and_goes_on_no_more(supervise, memory, backend):
    client = await supervise(memory.address, backend.url)
    soma = (await client.say("My bicycle is stored in the blue shed.")).soma
    await client.say("My sister Ada lives in Ghent.", soma=soma)
    answer = await client.call("CloseSoma", closing(soma))
    assert answer.soma.name == soma
    assert answer.soma.HasField("closed_at")
    error = await refused(client.say("And?", soma=soma))
    assert (type(error), error.reason) == (FailedPrecondition, "SOMA_CLOSED")
    text = await summary_of(memory.address, soma)
    assert "Ghent" in text
    shown = (await client.call("GetSoma", pb.GetSomaRequest(name=soma))).soma
    assert (len(shown.turns), shown.closed_at) == (2, answer.soma.closed_at)
    again = await client.call("CloseSoma", closing(soma))
    assert again.soma.closed_at == answer.soma.closed_at
    graded = pb.RateSomaRequest(request_id=fresh(), soma=soma, turn_number=1, rating=pb.RATING_GOOD)
    assert (await client.call("RateSoma", graded)).turn.rating == pb.RATING_GOOD


async def test_a_soma_that_was_closed_while_memory_was_away_is_summed_up_later(
    supervise, memory, backend
):
    client = await supervise(memory.address, backend.url)
    memory.kill()
    try:
        soma = (await client.say("The spare key is under the third stone.")).soma
        request = closing(soma)
        first = await client.call("CloseSoma", request)
        assert await client.call("CloseSoma", request) == first
    finally:
        memory.start()
    assert "third stone" in await summary_of(memory.address, soma)


async def test_closing_waits_for_the_turn_that_is_under_way(scripted, backend):
    begun, end = asyncio.Event(), asyncio.Event()

    async def slow():
        begun.set()
        await end.wait()
        yield piece("Done.")
        yield last()

    soma = (await scripted.say("Hello.")).soma
    backend.say = slow
    turn = asyncio.create_task(scripted.say("And?", soma=soma))
    await begun.wait()
    close = asyncio.create_task(scripted.call("CloseSoma", closing(soma)))
    await asyncio.sleep(0.1)
    assert not close.done()
    end.set()
    assert (await turn).turn.number == 2
    assert (await close).soma.HasField("closed_at")


async def test_what_cannot_be_closed(scripted):
    assert isinstance(await refused(scripted.call("CloseSoma", closing("somas/none"))), NotFound)
    assert isinstance(await refused(scripted.call("CloseSoma", closing("none"))), InvalidArgument)
