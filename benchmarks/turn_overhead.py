"""What a turn costs beside its model: recall among many memories, the prompt, SQLite, gRPC.

Usage: python -m benchmarks.turn_overhead [--memories N] [--turns N] [--crowd N]

Each question is asked twice, in turns: of the Supervisor, and as a bare chat of the same model
server, with a system text that an earlier turn had, so that neither finds its own prompt cached.
Answers are as short as they can be. What differs in the medians is ours. The same with a crowd of
Somas that all ask at once, beside as many bare chats at once.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import tempfile
import time
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import ollama
from batos.memory.v1 import memory_pb2, memory_pb2_grpc
from batos.supervisor.v1 import supervisor_pb2 as pb
from batos.supervisor.v1 import supervisor_pb2_grpc
from rich.console import Console
from rich.progress import track
from rich.table import Table

from benchmarks.memory_texts import Texts
from benchmarks.milliseconds import p50_and_p99
from deploy.local import LocalStack
from shared.channel import open_channel

PERSONA = "ROBIN"
ANSWER_TOKENS = 4
BATCH = 500
TARGET_MS = 25.0


@dataclass
class Times:
    """Milliseconds to the first piece and to the end."""

    first: list[float] = field(default_factory=list)
    whole: list[float] = field(default_factory=list)


class Sides:
    """The two ways to ask, and the system text that the last turn had."""

    def __init__(self, supervisor: Any, model: ollama.AsyncClient) -> None:
        self._supervisor = supervisor
        self._model = model
        self._system = "You are ROBIN."
        self.ours, self.bare = Times(), Times()

    async def ask(self, question: str) -> None:
        """One turn of a Soma of its own."""
        request = pb.ConverseRequest(request_id=str(uuid.uuid4()), persona=PERSONA, text=question)
        begun, first = time.perf_counter(), 0.0
        async for event in self._supervisor.Converse(request):
            if event.WhichOneof("event") == "delta" and not first:
                first = time.perf_counter()
            last = event
        ended = time.perf_counter()
        self._system = last.finished.turn.system_text
        self.ours.first.append(((first or ended) - begun) * 1000)
        self.ours.whole.append((ended - begun) * 1000)

    async def chat(self, question: str) -> None:
        """The same as a bare chat."""
        messages = [
            {"role": "system", "content": self._system},
            {"role": "user", "content": question},
        ]
        options = {"temperature": 0, "num_predict": ANSWER_TOKENS}
        begun, first = time.perf_counter(), 0.0
        async for part in await self._model.chat("starter", messages, stream=True, options=options):
            if part.message.content and not first:
                first = time.perf_counter()
        ended = time.perf_counter()
        self.bare.first.append(((first or ended) - begun) * 1000)
        self.bare.whole.append((ended - begun) * 1000)


async def remember(address: str, texts: list[str], console: Console) -> None:
    """Fills the persona's memory."""
    async with open_channel(address) as channel:
        stub = memory_pb2_grpc.MemoryServiceStub(channel)

        def batch(start: int) -> memory_pb2.CreateEpisodesRequest:
            return memory_pb2.CreateEpisodesRequest(
                request_id=str(uuid.uuid4()),
                namespace=f"personas/{PERSONA}",
                episodes=[
                    memory_pb2.NewEpisode(
                        soma=f"somas/{(start + n) // 20}", speaker="user", text=text
                    )
                    for n, text in enumerate(texts[start : start + BATCH])
                ],
            )

        starts = track(range(0, len(texts), BATCH), "remembering", console=console)
        async for _ in stub.CreateEpisodes(map(batch, starts)):
            pass
        # As they are some ten seconds later by themselves: indexed.
        await stub.Optimize(memory_pb2.OptimizeRequest())


async def together(ask: Callable[[str], Awaitable[None]], questions: list[str]) -> None:
    """All at once."""
    await asyncio.gather(*(ask(question) for question in questions))


async def measure(memories: int, turns: int, crowd: int, console: Console) -> dict[str, Any]:
    """One after another, then the crowd."""
    texts = Texts(seed=1).draw(memories + turns + 2 * crowd)
    known, questions = texts[:memories], texts[memories:]
    settings = {
        "BATOS_SUPERVISOR_ANSWER_TOKENS": str(ANSWER_TOKENS),
        "BATOS_SUPERVISOR_TURNS_AT_ONCE": str(max(128, crowd)),
        "OLLAMA_MAX_QUEUE": str(2 * crowd + 10),
    }
    with tempfile.TemporaryDirectory(prefix="b") as folder:
        stack = LocalStack(
            Path(folder), services=("model-server", "memory", "supervisor"), settings=settings
        )
        async with stack, open_channel(stack.addresses["supervisor"]) as channel:
            await remember(stack.addresses["memory"], known, console)
            stub = supervisor_pb2_grpc.SupervisorServiceStub(channel)
            model = ollama.AsyncClient(f"http://{stack.addresses['model-server']}")
            alone, crowded = Sides(stub, model), Sides(stub, model)
            await alone.ask("Hello.")
            await alone.chat("Hello.")
            alone.ours, alone.bare = Times(), Times()
            for question in track(questions[:turns], "asking", console=console):
                await alone.ask(question)
                await alone.chat(question)
            if crowd:
                await together(crowded.ask, questions[turns : turns + crowd])
                await together(crowded.chat, questions[turns + crowd :])
    line = {"memories": memories, "target_ms": TARGET_MS, **_figures("", alone)}
    return line | (_figures(f"crowd_of_{crowd}_", crowded) if crowd else {})


def _figures(prefix: str, sides: Sides) -> dict[str, float]:
    ours, bare = p50_and_p99(sides.ours.whole), p50_and_p99(sides.bare.whole)
    first, bare_first = p50_and_p99(sides.ours.first), p50_and_p99(sides.bare.first)
    return {
        f"{prefix}overhead_p50_ms": round(ours[0] - bare[0], 2),
        f"{prefix}overhead_p99_ms": round(ours[1] - bare[1], 2),
        f"{prefix}first_token_overhead_p50_ms": round(first[0] - bare_first[0], 2),
        f"{prefix}turn_p50_ms": ours[0],
        f"{prefix}bare_p50_ms": bare[0],
    }


def main() -> None:
    """Measure, print a table, and one JSON line last."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--memories", type=int, default=10_000)
    parser.add_argument("--turns", type=int, default=60)
    parser.add_argument("--crowd", type=int, default=100, help="Somas that ask at once; 0: none")
    arguments = parser.parse_args()
    console = Console(stderr=True)
    line = asyncio.run(measure(arguments.memories, arguments.turns, arguments.crowd, console))
    table = Table("what", "")
    for name, value in line.items():
        table.add_row(name, str(value))
    Console().print(table)
    print(json.dumps(line))


if __name__ == "__main__":
    main()
