"""`kill -9` of every service in turn, at random moments of 200 turns with memory and tools.

Everything acknowledged is there, in order and once; Memory has each thing that was said once.
Budget: three minutes.
"""

from __future__ import annotations

import asyncio
import os
import random
from pathlib import Path

import grpc
import pytest
from batos.memory.v1 import memory_pb2
from batos.supervisor.v1 import supervisor_pb2 as pb

from tests.integration.images.world import World, fresh, world

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]

TALKERS, TURNS = 8, 25
VICTIMS = ("supervisor", "memory", "toolforge", "sandbox-executor", "trainer", "model-server")
SEED = int(os.environ.get("BATOS_CHAOS_SEED", "0")) or random.randrange(1, 1 << 30)


async def insistently(here: World, text: str, soma: str) -> pb.Finished:
    """Says it, with one request_id, until it is acknowledged."""
    request = pb.ConverseRequest(request_id=fresh(), persona="BRICK", text=text, soma=soma)
    for _ in range(600):
        try:
            call = here.supervisor.Converse(request, timeout=60, wait_for_ready=True)
            return [event async for event in call][-1].finished
        except grpc.aio.AioRpcError as error:
            if error.code() is not grpc.StatusCode.UNAVAILABLE:
                raise
            await asyncio.sleep(0.1)
    raise AssertionError(f"never acknowledged: {text}")


async def talk(here: World, talker: int, acknowledged: list[pb.Finished]) -> None:
    soma = ""
    for number in range(TURNS):
        # Some questions suit the tool, so that turns are in the middle of calls as well.
        text = f"Add {talker} and {number}." if number % 3 == 0 else f"Fact {talker}.{number}."
        finished = await insistently(here, text, soma)
        acknowledged.append(finished)
        soma = finished.soma


async def kill_one_after_another(here: World, acknowledged: list[pb.Finished]) -> int:
    rng, kills = random.Random(SEED), 0
    while len(acknowledged) < TALKERS * TURNS - 20:
        name = VICTIMS[kills % len(VICTIMS)]
        await asyncio.sleep(rng.random() * 0.8)
        process = here.stack.processes[name]
        await process.kill()
        await process.start()
        assert await process.wait_until_serving(60), process.log_tail(20)
        kills += 1
    return kills


async def kept(here: World, soma: str) -> list[str]:
    request = memory_pb2.ListRequest(
        namespace="personas/BRICK",
        filter=memory_pb2.RecordFilter(
            somas=[soma], speakers=["user"], level=memory_pb2.LEVEL_EPISODE
        ),
        page_size=500,
    )
    answer = await here.memory.List(request, wait_for_ready=True)
    return sorted(record.text for record in answer.records)


async def test_everything_acknowledged_is_there_and_nothing_twice(tmp_path: Path):
    settings = {
        "BATOS_SUPERVISOR_RECALL_SECONDS": "0.5",
        "BATOS_SUPERVISOR_ANSWER_TOKENS": "40",
    }
    async with world(tmp_path, **settings) as here:
        await here.register("add", about="Add two numbers.")
        acknowledged: list[pb.Finished] = []
        *_, kills = await asyncio.gather(
            *(talk(here, talker, acknowledged) for talker in range(TALKERS)),
            kill_one_after_another(here, acknowledged),
        )
        assert kills >= len(VICTIMS), f"BATOS_CHAOS_SEED={SEED}"
        assert await here.somas() == {finished.soma for finished in acknowledged}
        called = sum(len(finished.turn.tool_calls) for finished in acknowledged)
        assert called, "no turn called a tool"
        for name in {finished.soma for finished in acknowledged}:
            soma = (await here.supervisor.GetSoma(pb.GetSomaRequest(name=name))).soma
            assert list(soma.turns) == [f.turn for f in acknowledged if f.soma == name]
            said = sorted(turn.user_text for turn in soma.turns)
            async with asyncio.timeout(60):  # delivery goes on in the background
                while await kept(here, name) != said:
                    await asyncio.sleep(0.2)
