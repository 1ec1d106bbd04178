"""Somas are searched, exported, and taken over by another Supervisor."""

from __future__ import annotations

import asyncio

import pytest
from batos.memory.v1 import memory_pb2, memory_pb2_grpc
from batos.supervisor.v1 import supervisor_pb2 as pb

from shared.channel import open_channel
from shared.errors import AlreadyExists, InvalidArgument, NotFound
from tests.abuse.wire.valid_requests import soma as valid_soma
from tests.integration.supervisor.client import fresh, refused


async def search(client, query: str, **more) -> list[pb.TurnHit]:
    request = pb.SearchSomasRequest(query=query, **more)
    return list((await client.call("SearchSomas", request)).hits)


async def exported(client, persona: str = "") -> dict[str, pb.Soma]:
    somas: dict[str, pb.Soma] = {}
    async for response in client.stub.ExportSomas(pb.ExportSomasRequest(persona=persona)):
        if response.soma.name in somas:
            somas[response.soma.name].turns.extend(response.soma.turns)
        else:
            somas[response.soma.name] = response.soma
    return somas


async def test_turns_are_found_by_their_words(scripted):
    boat = await scripted.say("My boat is called Ondine, and it is green.")
    car = await scripted.say("My car is green.", persona="BABS")
    await scripted.say("Nothing of that.")
    hits = await search(scripted, "green boat")
    assert [(h.soma, h.turn_number, h.persona) for h in hits] == [(boat.soma, 1, "ROBIN")]
    assert "Ondine" in hits[0].excerpt
    # Where no turn has all words, those come that have some.
    assert {h.soma for h in await search(scripted, "green submarine")} == {boat.soma, car.soma}
    assert [h.soma for h in await search(scripted, "GREEN", persona="BABS")] == [car.soma]
    assert len(await search(scripted, "green", limit=1)) == 1
    assert await search(scripted, "submarine") == []


async def test_a_correction_is_found_and_a_later_one_in_its_place(scripted):
    told = await scripted.say("Who keeps the lighthouse?")
    for text in ("It is Marta.", "It is Gregor."):
        request = pb.CorrectSomaRequest(
            request_id=fresh(), soma=told.soma, turn_number=1, text=text
        )
        await scripted.call("CorrectSoma", request)
    assert [h.soma for h in await search(scripted, "Gregor")] == [told.soma]
    assert await search(scripted, "Marta") == []


@pytest.mark.parametrize(
    "query", ['"', "green AND", "NEAR(a b)", "user_text:boat", "*", "-", "a" * 5000, "boat^2", "'"]
)
async def test_a_query_is_data(scripted, query):
    await scripted.say("My boat is green.")
    if any(character.isalnum() for character in query):
        await search(scripted, query)
        return
    error = await refused(search(scripted, query))
    assert [violation.field for violation in error.violations] == ["query"]


async def test_what_one_exports_another_takes_over(supervise, scripted, memory, backend, tmp_path):
    soma = (await scripted.say("My canoe is called Waverly.")).soma
    for number in range(45):  # more than one piece
        await scripted.say(f"Fact {number}.", soma=soma)
    rate = pb.RateSomaRequest(request_id=fresh(), soma=soma, turn_number=1, rating=pb.RATING_GOOD)
    await scripted.call("RateSoma", rate)
    await scripted.say("Somebody else.", persona="BABS")
    there = await exported(scripted)
    assert {s.persona for s in there.values()} == {"ROBIN", "BABS"}
    assert set(await exported(scripted, "BABS")) == set(there) - {soma}
    ours = await supervise(memory.address, backend.url, data_dir=tmp_path / "other")
    for each in there.values():
        request = pb.ImportSomaRequest(request_id=fresh(), soma=each)
        taken = (await ours.call("ImportSoma", request)).soma
        assert (taken.name, len(taken.turns)) == (each.name, 0)
    assert await exported(ours) == there
    golden = await ours.call("ListSomas", pb.ListSomasRequest(golden_only=True))
    assert [s.name for s in golden.somas] == [soma]
    assert [h.soma for h in await search(ours, "Waverly")] == [soma]
    assert (await ours.say("And now?", soma=soma)).turn.number == 47
    async with open_channel(memory.address) as channel, asyncio.timeout(30):
        stub = memory_pb2_grpc.MemoryServiceStub(channel)
        listing = memory_pb2.ListRequest(
            namespace="personas/ROBIN",
            filter=memory_pb2.RecordFilter(somas=[soma], speakers=["user"]),
            page_size=500,
        )
        while len((await stub.List(listing)).records) < 46:
            await asyncio.sleep(0.1)
        first = (await stub.List(listing)).records
    told = there[soma].turns[0].created_at
    assert told in [record.created_at for record in first]


async def test_a_soma_is_taken_over_once(scripted):
    request = pb.ImportSomaRequest(request_id=fresh(), soma=valid_soma())
    first = await scripted.call("ImportSoma", request)
    assert await scripted.call("ImportSoma", request) == first
    request.request_id = fresh()
    assert isinstance(await refused(scripted.call("ImportSoma", request)), AlreadyExists)


def spoilt(**fields) -> pb.Soma:
    soma = valid_soma()
    for field, value in fields.items():
        target = soma.turns[0] if field.startswith("turn_") else soma
        name = field.removeprefix("turn_")
        if hasattr(value, "SerializeToString"):
            getattr(target, name).CopyFrom(value)
        else:
            setattr(target, name, value)
    return soma


@pytest.mark.parametrize(
    ("soma", "field"),
    [
        (spoilt(name="notes/1"), "soma.name"),
        (spoilt(name=""), "soma.name"),
        (spoilt(turn_number=2), "soma.turns[0].number"),
        (spoilt(turn_user_text=""), "soma.turns[0].user_text"),
        (spoilt(turn_correction="x" * 40_000), "soma.turns[0].correction"),
        (spoilt(turn_rating=7), "soma.turns[0].rating"),
        (pb.Soma(name="somas/a", persona="ROBIN"), "soma.turns"),
    ],
)
async def test_a_soma_that_nobody_exports_is_refused(scripted, soma, field):
    request = pb.ImportSomaRequest(request_id=fresh(), soma=soma)
    error = await refused(scripted.call("ImportSoma", request))
    assert isinstance(error, InvalidArgument)
    assert field in [violation.field for violation in error.violations]


@pytest.mark.parametrize("persona", ["JOKER", ""])
async def test_a_soma_of_nobody_is_refused(scripted, persona):
    request = pb.ImportSomaRequest(request_id=fresh(), soma=spoilt(persona=persona))
    assert isinstance(await refused(scripted.call("ImportSoma", request)), NotFound)
