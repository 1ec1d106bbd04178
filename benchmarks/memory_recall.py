"""Recall of Memory's search on conversations with marked evidence, and its latency.

Usage: python -m benchmarks.memory_recall ADDRESS CONVERSATIONS.json [--summaries]

The file has the shape of LoCoMo (Maharana et al., ACL 2024): a list of conversations with
`conversation.session_N` (turns with `speaker`, `dia_id`, `text`), `session_summary`, and `qa` with
`question`, `evidence` and `category`. Every conversation gets a namespace, every session is a Soma.
Recall@k is the share of a question's evidence among the first k hits, averaged over questions.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import re
import statistics
import time
import uuid
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from batos.memory.v1 import memory_pb2 as pb
from batos.memory.v1 import memory_pb2_grpc

from shared.channel import open_channel

if TYPE_CHECKING:
    AsyncStub = memory_pb2_grpc.MemoryServiceAsyncStub

CUTS = (5, 10, 20)
ADVERSARIAL = 5


def sessions(conversation: dict[str, Any]) -> Iterator[tuple[str, datetime, list[dict[str, Any]]]]:
    """Number, time and turns of each session."""
    for key, turns in conversation["conversation"].items():
        match = re.fullmatch(r"session_(\d+)", key)
        if match and isinstance(turns, list):
            said = conversation["conversation"][f"{key}_date_time"]
            at = datetime.strptime(said, "%I:%M %p on %d %B, %Y").replace(tzinfo=UTC)
            yield match[1], at, turns


def episode(turn: dict[str, Any], session: str, at: datetime) -> pb.NewEpisode:
    """A turn; the caption of a shared picture counts as said."""
    caption = turn.get("blip_caption")
    new = pb.NewEpisode(
        soma=f"somas/{session}",
        speaker=turn["speaker"],
        text=turn["text"] + (f" [shares {caption}]" if caption else ""),
    )
    new.created_at.FromDatetime(at)
    return new


def evidence(question: dict[str, Any], known: set[str]) -> set[str]:
    """The turns that hold the answer; the data has some ids written together or with a colon."""
    found = re.findall(r"D:?(\d+:\d+)", " ".join(question.get("evidence") or []))
    return {f"D{place}" for place in found} & known


async def ingest(
    stub: AsyncStub, conversation: dict[str, Any], namespace: str, summaries: bool
) -> dict[str, str]:
    """Stores a conversation; returns the dia_id of each record's id."""
    turns: list[str] = []

    async def batches() -> AsyncIterator[pb.CreateEpisodesRequest]:
        for session, at, said in sessions(conversation):
            turns.extend(turn["dia_id"] for turn in said)
            yield pb.CreateEpisodesRequest(
                request_id=str(uuid.uuid4()),
                namespace=namespace,
                episodes=[
                    episode(turn, session, at + timedelta(seconds=place))
                    for place, turn in enumerate(said)
                ],
            )

    ids = [row_id async for answer in stub.CreateEpisodes(batches()) for row_id in answer.ids]
    for session, _, _ in sessions(conversation) if summaries else ():
        if text := conversation["session_summary"].get(f"session_{session}_summary"):
            await stub.CreateSummary(
                pb.CreateSummaryRequest(
                    request_id=str(uuid.uuid4()),
                    namespace=namespace,
                    soma=f"somas/{session}",
                    text=text,
                )
            )
    return dict(zip(ids, turns, strict=True))


async def measure(
    stub: AsyncStub, conversation: dict[str, Any], summaries: bool
) -> tuple[list[tuple[bool, list[float]]], list[float]]:
    """Per question whether it is adversarial and its recalls, and the milliseconds it took."""
    namespace = f"recall/{uuid.uuid4()}"
    turns = await ingest(stub, conversation, namespace, summaries)
    recalls, milliseconds = [], []
    for question in conversation["qa"]:
        wanted = evidence(question, set(turns.values()))
        if not wanted:
            continue
        start = time.perf_counter()
        search = pb.SearchRequest(namespace=namespace, query=question["question"], limit=max(CUTS))
        found = [turns[hit.record.id] for hit in (await stub.Search(search)).hits]
        milliseconds.append((time.perf_counter() - start) * 1000)
        shares = [len(wanted & set(found[:cut])) / len(wanted) for cut in CUTS]
        recalls.append((question["category"] == ADVERSARIAL, shares))
    return recalls, milliseconds


def report(recalls: list[tuple[bool, list[float]]], milliseconds: list[float]) -> None:
    """A table for people, one JSON line for programs."""
    figures: dict[str, float] = {"questions": len(recalls)}
    print(f"{'questions':<14}" + "".join(f"{f'R@{cut}':>8}" for cut in CUTS))
    for name, adversarial in (("answerable", False), ("adversarial", True)):
        rows = [shares for kind, shares in recalls if kind is adversarial]
        means = [100 * statistics.fmean(column) for column in zip(*rows, strict=True)]
        print(f"{name:<14}" + "".join(f"{mean:8.1f}" for mean in means))
        figures |= {f"{name}_r{cut}": mean for cut, mean in zip(CUTS, means, strict=True)}
    figures["p50_ms"] = statistics.median(milliseconds)
    figures["p95_ms"] = statistics.quantiles(milliseconds, n=20)[-1]
    print(f"search: p50 {figures['p50_ms']:.1f} ms, p95 {figures['p95_ms']:.1f} ms")
    print(json.dumps({key: round(value, 2) for key, value in figures.items()}))


async def main() -> None:
    """Measures all conversations of a file."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("address", help="host:port of Memory")
    parser.add_argument("conversations", type=Path, help="file in the shape of LoCoMo")
    parser.add_argument("--summaries", action="store_true", help="also store session summaries")
    arguments = parser.parse_args()
    recalls: list[tuple[bool, list[float]]] = []
    milliseconds: list[float] = []
    async with open_channel(arguments.address) as channel:
        stub: AsyncStub = memory_pb2_grpc.MemoryServiceStub(channel)
        for conversation in json.loads(arguments.conversations.read_text()):
            own, took = await measure(stub, conversation, arguments.summaries)
            recalls += own
            milliseconds += took
    report(recalls, milliseconds)


if __name__ == "__main__":
    asyncio.run(main())
