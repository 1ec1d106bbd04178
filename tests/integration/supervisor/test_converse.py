"""Conversations with a real Memory and a real model."""

import asyncio
import time

import pytest
from batos.memory.v1 import memory_pb2, memory_pb2_grpc
from batos.supervisor.v1 import supervisor_pb2 as pb

from shared.channel import open_channel
from tests.integration.supervisor.client import fresh, refused


def remembered_texts(finished) -> list[str]:
    return [r.text for r in finished.turn.recollections]


async def test_a_fact_of_one_soma_is_recalled_in_another(client):
    told = await client.say("My boat is called Ondine and it is green.")
    asked = await client.say("What is my boat called?")
    again = await client.say("And what is the name of my boat?")
    for finished in (asked, again):
        best = finished.turn.recollections[0]
        assert (best.text, best.speaker) == ("My boat is called Ondine and it is green.", "user")
        assert best.soma == told.soma
        assert best.score > 0
        assert "user: My boat is called Ondine" in finished.turn.system_text
    assert "What is my boat called?" not in remembered_texts(again)


async def test_a_soma_does_not_recall_itself_and_goes_on(client):
    first = await client.say("The lighthouse keeper is Marta.", persona="BABS")
    second = await client.say("Who keeps the lighthouse?", soma=first.soma, persona="")
    assert second.soma == first.soma
    assert (first.turn.number, second.turn.number) == (1, 2)
    assert "The lighthouse keeper is Marta." not in remembered_texts(second)
    soma = (await client.call("GetSoma", pb.GetSomaRequest(name=first.soma))).soma
    assert soma.persona == "BABS"
    assert list(soma.turns) == [first.turn, second.turn]


async def test_personas_have_memories_of_their_own(client):
    await client.say("The safe opens with 7741.", persona="ALFRED")
    asked = await client.say("How does the safe open?", persona="ROBIN")
    assert "The safe opens with 7741." not in remembered_texts(asked)


async def test_a_turn_tells_what_it_took(client):
    turn = (await client.say("Good morning.")).turn
    assert turn.model.tag == "starter"
    assert turn.model.digest
    assert turn.model.generation == 1
    assert 0 < turn.first_token.ToNanoseconds() <= turn.wall.ToNanoseconds()
    assert abs(turn.created_at.ToSeconds() - time.time()) < 30
    assert not turn.recall_unavailable
    assert turn.system_text.startswith("You are ROBIN, the companion. You are warm and brief.\n\n")


async def test_the_same_request_replays_the_turn(client):
    request_id = fresh()
    first = await client.say("Good evening.", request_id=request_id)
    assert await client.say("Good evening.", request_id=request_id) == first
    error = await refused(client.say("Good night.", request_id=request_id))
    assert error.reason == "REQUEST_ID_REUSED"


async def test_the_same_request_in_flight_is_answered_once(client):
    request_id = fresh()
    turns = await asyncio.gather(
        *(client.say("Good evening.", request_id=request_id) for _ in range(4))
    )
    assert all(turn == turns[0] for turn in turns)
    soma = (await client.call("GetSoma", pb.GetSomaRequest(name=turns[0].soma))).soma
    assert len(soma.turns) == 1


async def test_turns_of_one_soma_follow_one_another_and_somas_run_together(client):
    soma = (await client.say("First.")).soma
    turns = await asyncio.gather(*(client.say(f"Turn {n}.", soma=soma) for n in range(5)))
    assert sorted(t.turn.number for t in turns) == [2, 3, 4, 5, 6]
    others = await asyncio.gather(*(client.say(f"Soma {n}.") for n in range(5)))
    assert len({t.soma for t in others}) == 5


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"text": ""}, "text"),
        ({"text": "x" * (32 * 1024 + 1)}, "text"),
        ({"request_id": "no-uuid"}, "request_id"),
        ({"persona": ""}, "persona"),
        ({"soma": "notes/1"}, "soma"),
    ],
)
async def test_bad_requests_name_the_field(client, fields, field):
    request = {"request_id": fresh(), "persona": "ROBIN", "text": "Hello."} | fields
    error = await refused(client.events_of(pb.ConverseRequest(**request)))
    assert [v.field for v in error.violations] == [field]


async def test_who_is_not_there_cannot_speak(client):
    assert (await refused(client.say("Hello.", persona="JOKER"))).reason == "NOT_FOUND"
    assert (await refused(client.say("Hello.", soma="somas/absent"))).reason == "NOT_FOUND"
    soma = (await client.say("Hello.")).soma
    assert "ROBIN's" in (await refused(client.say("Hello.", soma=soma, persona="BABS"))).message


async def test_grades_are_kept_and_listed(client):
    plain, liked, mended = [await client.say(f"Story {n}.") for n in range(3)]
    rate = pb.RateSomaRequest(
        request_id=fresh(), soma=liked.soma, turn_number=1, rating=pb.RATING_GOOD
    )
    rated = await client.call("RateSoma", rate)
    assert rated.turn.rating == pb.RATING_GOOD
    assert await client.call("RateSoma", rate) == rated
    correct = pb.CorrectSomaRequest(
        request_id=fresh(), soma=mended.soma, turn_number=1, text="Once upon a time."
    )
    corrected = await client.call("CorrectSoma", correct)
    assert corrected.turn.correction == "Once upon a time."
    golden = await client.call("ListSomas", pb.ListSomasRequest(golden_only=True))
    assert [s.name for s in golden.somas] == [mended.soma, liked.soma]
    assert not golden.somas[0].turns
    newest = await client.call("ListSomas", pb.ListSomasRequest(page_size=1, persona="ROBIN"))
    assert [s.name for s in newest.somas] == [mended.soma]
    rest = pb.ListSomasRequest(persona="ROBIN", page_token=newest.next_page_token)
    others = await client.call("ListSomas", rest)
    assert [s.name for s in others.somas] == [liked.soma, plain.soma]
    kinds = [e.kind for e in await client.events(5)]
    assert kinds == [pb.EVENT_KIND_TURN_FINISHED] * 3 + [pb.EVENT_KIND_SOMA_GRADED] * 2


async def test_both_sides_of_a_turn_reach_memory_once(client, memory):
    told = await client.say("The tide turns at six.")
    await client.say("Hello.")  # its recall waits until Memory has what was said before
    channel = open_channel(memory.address)
    found = await memory_pb2_grpc.MemoryServiceStub(channel).Search(
        memory_pb2.SearchRequest(
            namespace="personas/ROBIN", query="The tide turns at six.", somas=[told.soma]
        )
    )
    await channel.close()
    records = {hit.record.speaker: hit.record for hit in found.hits}
    assert sorted(hit.record.speaker for hit in found.hits) == ["ROBIN", "user"]
    assert records["user"].text == "The tide turns at six."
    assert records["ROBIN"].text == told.turn.assistant_text
    assert records["user"].created_at == told.turn.created_at


async def test_personas_are_listed_as_the_codex_has_them(client):
    personas = (await client.call("ListPersonas", pb.ListPersonasRequest())).personas
    assert [p.name for p in personas] == ["ALFRED", "BABS", "BRICK", "ROBIN"]
    smith = await client.persona()
    assert (smith.persona.name, smith.persona.toolsmith) == ("BRICK", True)
    assert smith.serving_state == pb.SERVING_STATE_SERVING
    assert not smith.persona.HasField("previous")
