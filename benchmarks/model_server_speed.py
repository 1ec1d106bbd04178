"""The embedded model server beside llama.cpp's own loop, on one file with as many threads.

Usage: python -m benchmarks.model_server_speed [--model FILE] [--tokens N] [--rounds N]

Each round asks both in turn for the same greedy continuation: llama.cpp through its bindings, in
this process, and the server through Ollama's client, streaming. Tokens per second are counted from
the first to the last token as the caller sees them; the time to the first token holds the prompt.
Then four chats at once: through the server, and in one llama.cpp server with four slots that share
each batch. All figures are medians; ratios are of what was measured in one round.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import ollama
import xllamacpp
from rich.console import Console
from rich.progress import track
from rich.table import Table

from benchmarks.starter_model.served import WEIGHTS
from deploy.local import LocalStack

PROMPT = "Write a Python function.\nTask: " + "Count the words of the text, one by one. " * 12
THREADS = 1
AT_ONCE = 4


@dataclass(frozen=True)
class Speed:
    """Of one answer: its tokens, seconds to the first, tokens per second after that."""

    tokens: int
    first: float
    rate: float


def timed(arrivals: Iterator[float], begun: float) -> Speed:
    """From the moments at which tokens arrived."""
    moments = list(arrivals)
    rate = (len(moments) - 1) / (moments[-1] - moments[0])
    return Speed(len(moments), moments[0] - begun, rate)


class Bare:
    """llama.cpp in this process, with `slots` answers in one batch, on at most all CPUs."""

    def __init__(self, model: Path, slots: int) -> None:
        params = xllamacpp.CommonParams()
        params.model.path, params.n_ctx, params.n_parallel = str(model), 1024 * slots, slots
        threads = min(THREADS * slots, os.cpu_count() or 1)
        params.cpuparams.n_threads = params.cpuparams_batch.n_threads = threads
        params.warmup, params.cache_ram_mib, params.verbosity = False, 0, 0
        params.endpoint_metrics = True
        self._server = xllamacpp.Server(params)
        self._server.handle_metrics()

    def ask(self, tokens: int) -> Speed:
        """One answer of so many tokens."""
        arrivals: list[float] = []

        def note(chunk: dict[str, object]) -> bool:
            arrivals.append(time.perf_counter())
            return False

        begun = time.perf_counter()
        body = {"prompt": PROMPT, "max_tokens": tokens, "temperature": 0}
        self._server.handle_completions({**body, "stream": True, "cache_prompt": False}, note)
        return timed(iter(arrivals[:-1]), begun)


class Served:
    """The model server, asked over HTTP."""

    def __init__(self, address: str) -> None:
        self._client = ollama.Client(host=f"http://{address}", timeout=300)

    def ask(self, tokens: int) -> Speed:
        """One answer of so many tokens, the same as `Bare` gives."""
        options = {"temperature": 0, "num_predict": tokens, "num_ctx": 1024}
        begun = time.perf_counter()
        stream = self._client.generate(
            "model", PROMPT, raw=True, stream=True, options=options, keep_alive=-1
        )
        return timed((time.perf_counter() for part in stream if not part.done), begun)


def together(ask: Callable[[int], Speed], tokens: int) -> float:
    """Tokens per second of several answers at once, all of them added up."""
    begun = time.perf_counter()
    with ThreadPoolExecutor(AT_ONCE) as pool:
        made = sum(speed.tokens for speed in pool.map(ask, [tokens] * AT_ONCE))
    return made / (time.perf_counter() - begun)


@dataclass(frozen=True)
class Round:
    """What one round measured of one of the two."""

    alone: Speed
    together: float


def measure(
    bare: Bare, batched: Bare, served: Served, tokens: int, rounds: int
) -> tuple[list[Round], list[Round]]:
    """Both in turn, after one round that nobody counts."""
    found: tuple[list[Round], list[Round]] = ([], [])
    for number in track(range(rounds + 1), "rounds", console=Console(stderr=True)):
        pairs = ((bare.ask, batched.ask), (served.ask, served.ask))
        for kept, (alone, many) in zip(found, pairs, strict=True):
            one = Round(alone(tokens), together(many, tokens))
            if number:
                kept.append(one)
    return found


def tell(bare: list[Round], served: list[Round]) -> None:
    """The table and the line."""

    def median(rounds: list[Round], of: Callable[[Round], float]) -> float:
        return statistics.median(map(of, rounds))

    def ratio(of: Callable[[Round], float]) -> float:
        pairs = zip(served, bare, strict=True)
        return statistics.median(of(mine) / of(own) for mine, own in pairs)

    rows: dict[str, tuple[str, Callable[[Round], float]]] = {
        "tokens_per_second": ("tokens/s, one answer", lambda r: r.alone.rate),
        "first_token_ms": ("ms to the first token", lambda r: r.alone.first * 1000),
        "tokens_per_second_of_4": (f"tokens/s, {AT_ONCE} answers at once", lambda r: r.together),
    }
    table = Table("", "llama.cpp", "server", "ratio", box=None)
    line: dict[str, object] = {"benchmark": "model_server_speed", "rounds": len(bare)}
    for key, (name, of) in rows.items():
        own, mine, by = median(bare, of), median(served, of), ratio(of)
        table.add_row(name, f"{own:.1f}", f"{mine:.1f}", f"{by:.2f}")
        line |= {f"bare_{key}": round(own, 1), key: round(mine, 1), f"{key}_ratio": round(by, 3)}
    Console().print(table)
    print(json.dumps(line))


async def main(options: argparse.Namespace) -> None:
    """Serves the file under the name `model`."""
    with tempfile.TemporaryDirectory() as work:
        preload = Path(work) / "preload"
        preload.mkdir()
        (preload / "model.gguf").symlink_to(options.model.resolve())
        settings = {
            "BATOS_MODEL_SERVER_PRELOAD_DIR": str(preload),
            "BATOS_MODEL_SERVER_THREADS": str(THREADS),
        }
        data = Path(work) / "data"
        async with LocalStack(data, services=["model-server"], settings=settings) as stack:
            served = Served(stack.addresses["model-server"])
            bare, batched = Bare(options.model, 1), Bare(options.model, AT_ONCE)
            tell(
                *await asyncio.to_thread(
                    measure, bare, batched, served, options.tokens, options.rounds
                )
            )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.model_server_speed", description=__doc__
    )
    parser.add_argument("--model", type=Path, default=WEIGHTS / "starter.gguf")
    parser.add_argument("--tokens", type=int, default=200, help="tokens of one answer, at most")
    parser.add_argument("--rounds", type=int, default=7)
    asyncio.run(main(parser.parse_args()))
