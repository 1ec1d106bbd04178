"""Recall of Memory's search on conversations with marked evidence, and its latency, in every mode.

Usage: python -m benchmarks.memory_recall --data CONVERSATIONS.json

The file has the shape of LoCoMo (Maharana et al., ACL 2024): a list of conversations with
`conversation.session_N` (turns with `speaker`, `dia_id`, `text`), and `qa` with `question`,
`evidence` and `category`. Each session is a Soma with a summary that `Consolidate` makes; each
conversation gets a namespace of its own, and then all of them share one (`pooled`). Recall@k is the
share of a question's evidence among the first k hits, averaged over the questions of categories 1
to 4; nDCG@10 takes all evidence for equally relevant. It asks a Memory of its own, through gRPC,
one question at a time.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import math
import re
import statistics
import tempfile
import time
import uuid
from collections import defaultdict
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from batos.memory.v1 import memory_pb2 as pb
from batos.memory.v1 import memory_pb2_grpc
from rich.console import Console
from rich.progress import track
from rich.table import Table

from deploy.local import LocalStack
from shared.channel import open_channel

if TYPE_CHECKING:
    AsyncStub = memory_pb2_grpc.MemoryServiceAsyncStub

CUTS = (5, 10, 20)
MODES = ("hierarchical", "flat", "hybrid", "keyword")
CATEGORIES = {1: "multi-hop", 2: "temporal", 3: "open domain", 4: "single hop", 5: "adversarial"}
ADVERSARIAL = 5


@dataclass(frozen=True)
class Asked:
    """One question's answer: its category, recall at each cut, nDCG@10, and milliseconds."""

    category: int
    recalls: list[float]
    ndcg: float
    milliseconds: float


def sessions(conversation: dict[str, Any]) -> Iterator[tuple[str, datetime, list[dict[str, Any]]]]:
    """Number, time and turns of each session."""
    for key, turns in conversation["conversation"].items():
        match = re.fullmatch(r"session_(\d+)", key)
        if match and isinstance(turns, list):
            said = conversation["conversation"][f"{key}_date_time"]
            at = datetime.strptime(said, "%I:%M %p on %d %B, %Y").replace(tzinfo=UTC)
            yield match[1], at, turns


def episode(turn: dict[str, Any], soma: str, at: datetime) -> pb.NewEpisode:
    """A turn; the caption of a shared picture counts as said."""
    caption = turn.get("blip_caption")
    new = pb.NewEpisode(
        soma=soma,
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
    stub: AsyncStub, conversation: dict[str, Any], namespace: str, number: int
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
                    episode(turn, f"somas/{number}-{session}", at + timedelta(seconds=place))
                    for place, turn in enumerate(said)
                ],
            )

    ids = [row_id async for answer in stub.CreateEpisodes(batches()) for row_id in answer.ids]
    for session, _, _ in sessions(conversation):
        await stub.Consolidate(
            pb.ConsolidateRequest(
                request_id=str(uuid.uuid4()),
                namespace=namespace,
                soma=f"somas/{number}-{session}",
            )
        )
    return dict(zip(ids, turns, strict=True))


async def ask(
    stub: AsyncStub,
    namespace: str,
    question: dict[str, Any],
    turns: dict[str, str],
    mode: str,
) -> Asked | None:
    """One question in one mode; None where it has no evidence. `turns` are those of its talk."""
    wanted = evidence(question, set(turns.values()))
    if not wanted:
        return None
    request = pb.SearchRequest(
        namespace=namespace,
        query=question["question"],
        limit=max(CUTS),
        mode=pb.SearchMode.Value(f"SEARCH_MODE_{mode.upper()}"),
    )
    start = time.perf_counter()
    hits = (await stub.Search(request)).hits
    milliseconds = (time.perf_counter() - start) * 1000
    found = [turns.get(hit.record.id, "") for hit in hits]
    recalls = [len(wanted & set(found[:cut])) / len(wanted) for cut in CUTS]
    gained = sum(1 / math.log2(at + 2) for at, turn in enumerate(found[:10]) if turn in wanted)
    ideal = sum(1 / math.log2(at + 2) for at in range(min(len(wanted), 10)))
    return Asked(question["category"], recalls, gained / ideal, milliseconds)


async def measure(stub: AsyncStub, talks: list[Any], *, pooled: bool) -> dict[str, list[Asked]]:
    """All questions in all modes, by mode."""
    shared = f"recall/{uuid.uuid4()}"
    namespaces = [shared if pooled else f"{shared}/{number}" for number in range(len(talks))]
    turns = [
        await ingest(stub, talk, namespace, number)
        for number, (talk, namespace) in enumerate(zip(talks, namespaces, strict=True))
    ]
    answers: dict[str, list[Asked]] = defaultdict(list)
    label = "pooled" if pooled else "apart"
    for place, talk in enumerate(track(talks, label, console=Console(stderr=True))):
        for mode in MODES:
            for question in talk["qa"]:
                asked = await ask(stub, namespaces[place], question, turns[place], mode)
                if asked:
                    answers[mode].append(asked)
    return answers


def figures(answers: list[Asked]) -> dict[str, float]:
    """Means over the questions of categories 1 to 4, latency over all."""
    counted = [asked for asked in answers if asked.category != ADVERSARIAL]
    found = {
        f"recall_at_{cut}": statistics.fmean(asked.recalls[place] for asked in counted)
        for place, cut in enumerate(CUTS)
    }
    found["ndcg_at_10"] = statistics.fmean(asked.ndcg for asked in counted)
    took = sorted(asked.milliseconds for asked in answers)
    found["p50_ms"] = statistics.median(took)
    found["p99_ms"] = took[int(len(took) * 0.99)]
    return {name: round(value, 4) for name, value in found.items()}


def categories(answers: list[Asked]) -> dict[str, list[float]]:
    """Recall at each cut by category."""
    return {
        name: [statistics.fmean(column) for column in zip(*rows, strict=True)]
        for number, name in CATEGORIES.items()
        if (rows := [asked.recalls for asked in answers if asked.category == number])
    }


def show(title: str, answers: dict[str, list[Asked]]) -> None:
    """Two tables: the modes, and the categories of the default one."""
    table = Table(title, *next(iter(map(figures, answers.values()))), box=None)
    for mode, own in answers.items():
        table.add_row(mode, *(f"{value:.3f}" for value in figures(own).values()))
    Console().print(table)
    by_category = Table("hierarchical", *(f"R@{cut}" for cut in CUTS), box=None)
    for name, means in categories(answers["hierarchical"]).items():
        by_category.add_row(name, *(f"{mean:.3f}" for mean in means))
    Console().print(by_category)


async def main(talks: list[Any]) -> None:
    """Measures all conversations, apart and pooled."""
    with tempfile.TemporaryDirectory(prefix="b") as directory:
        async with (
            LocalStack(Path(directory), services=["memory"]) as local,
            open_channel(local.addresses["memory"]) as channel,
        ):
            stub: AsyncStub = memory_pb2_grpc.MemoryServiceStub(channel)
            apart = await measure(stub, talks, pooled=False)
            pooled = await measure(stub, talks, pooled=True)
    show("apart", apart)
    show("pooled", pooled)
    last = {
        "benchmark": "memory_recall",
        "modes": {mode: figures(answers) for mode, answers in apart.items()},
        "categories": {
            name: dict(zip((f"recall_at_{cut}" for cut in CUTS), means, strict=True))
            for name, means in categories(apart["hierarchical"]).items()
        },
        "pooled": {mode: figures(answers) for mode, answers in pooled.items()},
    }
    print(json.dumps(last))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m benchmarks.memory_recall")
    parser.add_argument("--data", type=Path, required=True, help="file in the shape of LoCoMo")
    asyncio.run(main(json.loads(parser.parse_args().data.read_text())))
