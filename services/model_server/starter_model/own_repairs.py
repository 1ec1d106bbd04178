"""Repair pairs from the model's own failures: it drafts, a sandbox runs, what fails is kept.

Usage: python -m services.model_server.starter_model.own_repairs --ollama URL --sandbox HOST:PORT

Needs a model server with the model, and Sandbox-executor. Specs are drawn as training draws them,
drafts are sampled with the spec's number as their seed, and each failed draft is written with the
sandbox's finding and the solution. The corpus reads the file as one of its registers.
"""

import argparse
import asyncio
import gzip
import json
import signal
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from random import Random

import grpc
import ollama
from batos.sandbox.v1 import sandbox_pb2 as pb
from batos.sandbox.v1.sandbox_pb2_grpc import SandboxServiceStub
from google.protobuf.duration_pb2 import Duration
from rich.progress import Progress

from services.model_server.starter_model.corpus.conversation import Message
from services.model_server.starter_model.corpus.holdout import TRAIN
from services.model_server.starter_model.corpus.own import PATH
from services.model_server.starter_model.corpus.repair import Repair
from services.model_server.starter_model.corpus.row import drafted, repaired, spec
from services.model_server.starter_model.corpus.spec import Spec, UnusableDrawError
from services.model_server.starter_model.execution import CHILD, job_line, read_finding
from shared.channel import open_channel

BATCH = 40  # drafts of one run in the sandbox
ASKED_AT_ONCE = 4
TEMPERATURE = 0.7
LONGEST = 600  # characters of a failed draft


def specs(seed: int, start: int, count: int) -> list[tuple[int, Spec]]:
    """Draw specs as training does, with their numbers; draws that do not suit are left out."""
    found = []
    for number in range(start, start + count):
        try:
            found.append((number, spec(Random(f"own/{seed}/{number}"), TRAIN)))
        except UnusableDrawError:
            continue
    return found


class Drafter:
    """Asks a model for drafts."""

    def __init__(self, url: str, model: str) -> None:
        self._client, self._model = ollama.Client(host=url, timeout=300), model

    def drafts(self, asked: Sequence[tuple[int, Spec]]) -> list[str]:
        """Return one sampled draft of each spec."""
        with ThreadPoolExecutor(ASKED_AT_ONCE) as pool:
            return list(pool.map(lambda pair: self._draft(*pair), asked))

    def _draft(self, number: int, wanted: Spec) -> str:
        options = {"temperature": TEMPERATURE, "seed": number, "num_predict": 200}
        messages = drafted(Random(number), wanted)[:-1]
        answer = self._client.chat(self._model, messages=messages, options=options, keep_alive=-1)
        return answer.message.content or ""


async def findings(
    channel: grpc.aio.Channel, asked: Sequence[tuple[int, Spec]], drafts: Sequence[str]
) -> list[str | None]:
    """Run the drafts in one sandbox; return what is wrong with each, None where it passes."""
    lines = [job_line(d, s.name, s.examples) for d, (_, s) in zip(drafts, asked, strict=True)]
    limits = pb.Limits(wall=Duration(seconds=60), output_limit_bytes=1 << 20)
    request = pb.ExecuteRequest(source=CHILD, stdin="\n".join(lines).encode(), limits=limits)
    answer = await SandboxServiceStub(channel).Execute(request, timeout=90)
    said = [read_finding(line) for line in answer.stdout.decode().splitlines()]
    # What came after a draft that ended the whole run was not judged: it counts as passed.
    return (said + [None] * len(drafts))[: len(drafts)]


def kept(
    asked: Sequence[tuple[int, Spec]], drafts: Sequence[str], found: Sequence[str | None]
) -> Iterator[dict[str, list[Message]]]:
    """Yield the rows of the failed drafts."""
    for (number, wanted), draft, finding in zip(asked, drafts, found, strict=True):
        if finding is not None and len(draft) < LONGEST:
            broken = Repair(wanted, draft, finding)
            yield {"messages": repaired(Random(number), broken)}


async def main(options: argparse.Namespace) -> None:
    """Draft until enough drafts have failed; write them, also where that was cut short."""
    whole = asyncio.current_task()
    assert whole is not None
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, whole.cancel)
    rows: list[dict[str, list[Message]]] = []
    try:
        async with open_channel(options.sandbox) as channel:
            await collect(options, channel, rows)
    finally:
        lines = "".join(json.dumps(row) + "\n" for row in rows[: options.count])
        options.out.write_bytes(gzip.compress(lines.encode(), mtime=0))


async def collect(
    options: argparse.Namespace, channel: grpc.aio.Channel, rows: list[dict[str, list[Message]]]
) -> None:
    """Add rows until there are enough, or a model fails so seldom that there never will be."""
    drafter = Drafter(options.ollama, options.model)
    with Progress() as bar:
        task = bar.add_task("failed drafts", total=options.count)
        for start in range(0, options.count * 20, BATCH):
            asked = specs(options.seed, start, BATCH)
            drafts = await asyncio.to_thread(drafter.drafts, asked)
            rows += kept(asked, drafts, await findings(channel, asked, drafts))
            bar.update(task, completed=len(rows))
            if len(rows) >= options.count:
                return


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--ollama", default="http://127.0.0.1:11434", help="the model server")
    parser.add_argument("--model", default="starter")
    parser.add_argument("--sandbox", required=True, help="Sandbox-executor, HOST:PORT")
    parser.add_argument("--count", type=int, default=4000, help="failed drafts to keep")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", type=Path, default=PATH)
    asyncio.run(main(parser.parse_args()))
