"""`kill -9` of the Supervisor, at any moment: what it acknowledged is there, and nothing twice."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest
from batos.memory.v1 import memory_pb2, memory_pb2_grpc
from batos.supervisor.v1 import supervisor_pb2 as pb

from shared.channel import open_channel
from shared.errors import BatosError
from tests.integration.supervisor.client import Client, fresh, refused
from tests.integration.supervisor.scripted_backend import last, piece
from tests.integration.supervisor.service_process import ServiceProcess
from tests.integration.supervisor.test_swap import report

NOWHERE = "127.0.0.1:9"
TALKERS, TURNS, KILLS = 4, 8, 3


@pytest.fixture
def supervise(tmp_path: Path) -> Iterator[Callable[..., ServiceProcess]]:
    """Starts a Supervisor as a process of its own."""
    started: list[ServiceProcess] = []

    def start(memory: str, ollama: str) -> ServiceProcess:
        peers = {"BATOS_MEMORY_ADDRESS": memory, "OLLAMA_HOST": ollama}
        limits = {"BATOS_SUPERVISOR_ANSWER_TOKENS": "12"}
        started.append(ServiceProcess("supervisor", tmp_path, **peers, **limits))
        return started[-1]

    yield start
    for process in started:
        process.close()


@pytest.fixture
async def connect() -> AsyncIterator[Callable[[ServiceProcess], Client]]:
    clients: list[Client] = []

    def client(process: ServiceProcess) -> Client:
        clients.append(Client(process.address))
        return clients[-1]

    yield client
    for each in clients:
        await each.channel.close()


async def insistently(client: Client, text: str, soma: str, request_id: str):
    """Says it, with one request_id, until it is acknowledged."""
    for _ in range(2000):
        try:
            return await client.say(text, soma=soma, request_id=request_id)
        except BatosError:
            await asyncio.sleep(0.05)
    raise AssertionError("the Supervisor did not come back")


async def talk(client: Client, talker: int, acknowledged: list[pb.Finished]) -> None:
    soma = ""
    for number in range(TURNS):
        turn = await insistently(client, f"Fact {talker}.{number}.", soma, fresh())
        acknowledged.append(turn)
        soma = turn.soma


async def kill_now_and_then(process: ServiceProcess, acknowledged: list[pb.Finished]) -> None:
    seen = 0
    for _ in range(KILLS):
        seen += random.randint(2, 6)
        while len(acknowledged) < seen:
            await asyncio.sleep(0.005)
        await asyncio.sleep(random.random() * 0.05)
        await asyncio.to_thread(process.kill)
        await asyncio.to_thread(process.start)


async def kept_in_memory(address: str, soma: str) -> list[str]:
    channel = open_channel(address)
    found = await memory_pb2_grpc.MemoryServiceStub(channel).Search(
        memory_pb2.SearchRequest(namespace="personas/ROBIN", query="Fact", somas=[soma], limit=100)
    )
    await channel.close()
    return sorted(hit.record.text for hit in found.hits if hit.record.speaker == "user")


@pytest.mark.timeout(300)
async def test_killed_in_the_middle_of_turns(supervise, connect, memory, model_server):
    process = supervise(memory.address, f"http://{model_server.address}")
    client = connect(process)
    acknowledged: list[pb.Finished] = []
    await asyncio.gather(
        *(talk(client, talker, acknowledged) for talker in range(TALKERS)),
        kill_now_and_then(process, acknowledged),
    )
    somas = (await client.call("ListSomas", pb.ListSomasRequest())).somas
    assert {s.name for s in somas} == {finished.soma for finished in acknowledged}
    assert len(somas) == TALKERS
    events = await client.events(TALKERS * TURNS)
    assert [e.sequence for e in events] == list(range(1, TALKERS * TURNS + 1))
    assert {e.kind for e in events} == {pb.EVENT_KIND_TURN_FINISHED}
    for listed in somas:
        soma = (await client.call("GetSoma", pb.GetSomaRequest(name=listed.name))).soma
        assert list(soma.turns) == [f.turn for f in acknowledged if f.soma == soma.name]
        said = [turn.user_text for turn in soma.turns]
        assert [text.rpartition(".")[0][-1] for text in said] == [str(n) for n in range(TURNS)]
        for _ in range(100):  # delivery goes on in the background
            if (kept := await kept_in_memory(memory.address, soma.name)) == sorted(said):
                break
            await asyncio.sleep(0.2)
        assert kept == sorted(said)


async def test_a_lease_outlives_the_supervisor_for_one_ttl(supervise, connect, backend):
    process = supervise(NOWHERE, backend.url)
    client = connect(process)
    lease = await client.acquire(ttl=5)
    process.kill()
    process.start()
    assert (await client.persona()).serving_state == pb.SERVING_STATE_TRAINING
    renew = pb.RenewGpuLeaseRequest(request_id=fresh(), fencing_token=lease.fencing_token)
    assert (await client.call("RenewGpuLease", renew)).lease == lease
    assert (await refused(client.acquire("trainingRuns/b"))).reason == "GPU_LEASED"
    waited = await client.say("Are you there?")  # until the lease has run out
    assert waited.turn.wall.ToSeconds() >= 3
    assert (await refused(client.call("RenewGpuLease", renew))).reason == "STALE_FENCING_TOKEN"
    assert (await client.acquire("trainingRuns/b")).fencing_token > lease.fencing_token


async def test_killed_while_turns_drain(supervise, connect, backend):
    begun = asyncio.Event()

    async def endless():
        begun.set()
        while True:
            yield piece("la ")
            await asyncio.sleep(0.05)

    async def short():
        yield piece("Yes.")
        yield last()

    process = supervise(NOWHERE, backend.url)
    client = connect(process)
    backend.say = endless
    turn = asyncio.create_task(refused(client.say("Sing.")))
    await begun.wait()
    claim = asyncio.create_task(refused(client.acquire()))
    [drains] = await client.events(1)  # told once it is kept, so that the kill comes after
    assert drains.kind == pb.EVENT_KIND_DRAINING
    await asyncio.to_thread(process.kill)
    assert {(await turn).reason, (await claim).reason} == {"UNAVAILABLE"}
    await asyncio.to_thread(process.start)
    backend.say = short
    assert (await client.say("Are you there?")).turn.assistant_text == "Yes."
    assert (await client.persona()).serving_state == pb.SERVING_STATE_SERVING
    assert (await client.acquire()).fencing_token == 2


async def test_killed_in_a_swap(supervise, connect, backend):
    process = supervise(NOWHERE, backend.url)
    client = connect(process)
    lease = await client.acquire(ttl=60)
    backend.warms.clear()
    request = report(lease.fencing_token)
    swap = asyncio.create_task(refused(client.call("ReportModelSwap", request)))
    while (await client.persona()).serving_state != pb.SERVING_STATE_SWAPPING:
        await asyncio.sleep(0.02)
    await asyncio.to_thread(process.kill)
    await swap
    backend.warms.set()
    await asyncio.to_thread(process.start)
    after = await client.persona()
    assert (after.persona.model.generation, after.serving_state) == (1, pb.SERVING_STATE_TRAINING)
    swapped = await client.call("ReportModelSwap", request)
    assert swapped.persona.model.generation == 2
    assert await client.call("ReportModelSwap", request) == swapped
