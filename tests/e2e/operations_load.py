"""Constant load of what people do, from inside the internal network: python operations_load.py

Turns, memories and calls of a tool, each sent again under its own request id until it is answered.
What was acknowledged goes into a ledger, which is compared with what the services have at the end.
One JSON line a second; runs until its standard input ends; the last line is the ledger's.
"""

import asyncio
import json
import os
import sys
import time
import uuid
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import grpc
from batos.memory.v1 import memory_pb2, memory_pb2_grpc
from batos.supervisor.v1 import supervisor_pb2, supervisor_pb2_grpc
from batos.toolforge.v1 import toolforge_pb2, toolforge_pb2_grpc

from shared.channel import open_channel

# The client's patience with one request, and with one attempt; seconds.
PATIENCE, ATTEMPT, PAUSE = 60.0, 20.0, 0.2
PASSING = {
    grpc.StatusCode.UNAVAILABLE,
    grpc.StatusCode.RESOURCE_EXHAUSTED,
    grpc.StatusCode.ABORTED,
    grpc.StatusCode.DEADLINE_EXCEEDED,
    grpc.StatusCode.CANCELLED,
}
NAMESPACE = "operations"
TOOL = 'def double(n: int) -> int:\n    """Double a number."""\n    return 2 * n\n'


@dataclass
class Counts:
    """Of one kind of work. `longest` is the longest wait for an answer, in seconds."""

    answered: int = 0
    refused: int = 0
    failed: Counter[str] = field(default_factory=Counter)
    longest: float = 0.0


class Load:
    """Three workers, one for each kind, and the ledger of what they were told is kept."""

    def __init__(self, channels: dict[str, grpc.aio.Channel]) -> None:
        self.supervisor = supervisor_pb2_grpc.SupervisorServiceStub(channels["SUPERVISOR"])
        self.memory = memory_pb2_grpc.MemoryServiceStub(channels["MEMORY"])
        self.toolforge = toolforge_pb2_grpc.ToolForgeServiceStub(channels["TOOLFORGE"])
        self.counts = {"turns": Counts(), "memories": Counts(), "calls": Counts()}
        self.turns: list[tuple[str, str, str]] = []
        self.memories: list[tuple[str, str]] = []
        self.done = False

    async def work(self, kind: str, once) -> None:
        """One request after another, each until it is answered or its time is up."""
        number = 0
        while not self.done:
            number += 1
            begun = time.monotonic()
            await self.until_answered(kind, once, number, str(uuid.uuid4()))
            counts = self.counts[kind]
            counts.longest = max(counts.longest, time.monotonic() - begun)

    async def until_answered(self, kind: str, once, number: int, request_id: str) -> None:
        counts, end = self.counts[kind], time.monotonic() + PATIENCE
        while True:
            try:
                await once(number, request_id)
            except grpc.aio.AioRpcError as error:
                words = f"{error.code().name}: {error.details()}"
                if error.code() not in PASSING or time.monotonic() > end:
                    counts.failed[words] += 1
                    return
                counts.refused += 1
                await asyncio.sleep(PAUSE)
            else:
                counts.answered += 1
                return

    async def turn(self, number: int, request_id: str) -> None:
        text = f"Note {number} of {request_id[:8]}: all is well."
        request = supervisor_pb2.ConverseRequest(request_id=request_id, persona="BRICK", text=text)
        async for event in self.supervisor.Converse(request, timeout=ATTEMPT):
            last = event
        turn = last.finished.turn
        self.turns.append((last.finished.soma, text, turn.assistant_text))

    async def memory_kept(self, number: int, request_id: str) -> None:
        text = f"Memory {number} of {request_id}."
        made = await self.memory.CreateSummary(
            memory_pb2.CreateSummaryRequest(
                request_id=request_id, namespace=NAMESPACE, soma=f"somas/{request_id}", text=text
            ),
            timeout=ATTEMPT,
        )
        self.memories.append((made.summary.id, text))

    async def register(self) -> None:
        example = toolforge_pb2.Example(arguments_json='{"n": 1}', result_json="2")
        spec = toolforge_pb2.Spec(name="double", description="Double it.", examples=[example])
        await self.toolforge.RegisterTool(
            toolforge_pb2.RegisterToolRequest(request_id=str(uuid.uuid4()), spec=spec, source=TOOL)
        )

    async def call(self, number: int, request_id: str) -> None:
        request = toolforge_pb2.InvokeToolRequest(
            request_id=request_id, name="tools/double", arguments_json=json.dumps({"n": number})
        )
        answer = await self.toolforge.InvokeTool(request, timeout=ATTEMPT)
        if answer.value_json != str(2 * number):
            self.counts["calls"].failed[f"wrong: {answer.value_json} {answer.error}"] += 1

    def line(self) -> str:
        """The counts so far."""
        return json.dumps(
            {
                kind: {
                    "answered": counts.answered,
                    "refused": counts.refused,
                    "failed": dict(counts.failed),
                    "longest": round(counts.longest, 2),
                }
                for kind, counts in self.counts.items()
            }
        )

    async def ledger(self) -> str:
        """How much was acknowledged, and what of it is not there any more, or not as it was."""
        lost = [
            f"turn {soma}: {text}"
            for soma, text, said in self.turns
            if not await self.has_turn(soma, text, said)
        ]
        lost += [
            f"memory {identifier}: {text}"
            for identifier, text in self.memories
            if not await self.has_memory(identifier, text)
        ]
        return json.dumps({"acknowledged": len(self.turns) + len(self.memories), "lost": lost})

    async def has_turn(self, soma: str, text: str, said: str) -> bool:
        request = supervisor_pb2.GetSomaRequest(name=soma)
        found = (await self.supervisor.GetSoma(request)).soma.turns
        return [(turn.user_text, turn.assistant_text) for turn in found] == [(text, said)]

    async def has_memory(self, identifier: str, text: str) -> bool:
        request = memory_pb2.GetRequest(namespace=NAMESPACE, id=identifier)
        return (await self.memory.Get(request)).record.text == text


async def main() -> None:
    """Works until nobody holds our standard input any more."""
    identity = Path(os.environ["BATOS_TLS_DIR"])
    channels = {
        name: open_channel(os.environ[f"BATOS_{name}_ADDRESS"], identity)
        for name in ("SUPERVISOR", "MEMORY", "TOOLFORGE")
    }
    load, ended = Load(channels), asyncio.create_task(asyncio.to_thread(sys.stdin.read))
    await load.register()
    work = {"turns": load.turn, "memories": load.memory_kept, "calls": load.call}
    tasks = [asyncio.create_task(load.work(kind, once)) for kind, once in work.items()]
    while not ended.done():
        await asyncio.sleep(1)
        print(load.line(), flush=True)
    load.done = True
    await asyncio.gather(*tasks)
    print(load.line(), flush=True)
    print(await load.ledger(), flush=True)
    for channel in channels.values():
        await channel.close()


if __name__ == "__main__":
    asyncio.run(main())
