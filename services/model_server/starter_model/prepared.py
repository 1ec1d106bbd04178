"""What a training run reads: a vocabulary and the corpus in batches, written once per folder."""

import multiprocessing
from pathlib import Path
from random import Random

import torch
from rich.progress import track
from tokenizers import Tokenizer

from services.model_server.starter_model import vocabulary
from services.model_server.starter_model.batch import Batch, batches
from services.model_server.starter_model.corpus.row import rows
from services.model_server.starter_model.plan import Plan
from services.model_server.starter_model.vocabulary import Tokens, Weights

VOCABULARY_ROWS = 12000
CHUNK = 2000  # rows that a process writes at a time


def texts(seed: int, count: int) -> list[str]:
    """Return the text of the corpus from which the vocabulary is learnt."""
    return [message["content"] for row in rows(seed, count) for message in row.messages]


def write(plan: Plan) -> None:
    """Learn the vocabulary, then write the corpus as batches in their order; once per folder."""
    if not (plan.out / "tokenizer.json").exists():
        vocabulary.save(_vocabulary(plan), plan.out)
    if (plan.out / "batches.pt").exists():
        return
    encoded = _encoded(plan)
    queue = [(b.ids, b.weights) for b in batches(encoded, plan.batch_tokens, Random(plan.seed))]
    torch.save(queue, plan.out / "batches.tmp")
    (plan.out / "batches.tmp").rename(plan.out / "batches.pt")


def _vocabulary(plan: Plan) -> Tokenizer:
    if plan.begin:
        return Tokenizer.from_file(str(plan.begin / "tokenizer.json"))
    return vocabulary.train(texts(plan.seed + 1, min(VOCABULARY_ROWS, plan.rows)))


def _encoded(plan: Plan) -> list[tuple[Tokens, Weights]]:
    """Write the corpus in several processes; how many does not change it."""
    parts = [
        (plan.out, plan.seed, start, min(CHUNK, plan.rows - start))
        for start in range(0, plan.rows, CHUNK)
    ]
    with multiprocessing.get_context("spawn").Pool(min(plan.processes, len(parts))) as pool:
        done = track(pool.imap(_part, parts), "corpus", total=len(parts))
        return [row for part in done for row in part]


def _part(part: tuple[Path, int, int, int]) -> list[tuple[Tokens, Weights]]:
    out, seed, start, count = part
    tokenizer = Tokenizer.from_file(str(out / "tokenizer.json"))
    return [vocabulary.encode(tokenizer, row.messages) for row in rows(seed, count, start=start)]


def load(plan: Plan) -> tuple[Tokenizer, list[Batch]]:
    """Return what `write` wrote."""
    queue = torch.load(plan.out / "batches.pt", weights_only=True)
    tokenizer = Tokenizer.from_file(str(plan.out / "tokenizer.json"))
    return tokenizer, [Batch(ids, weights) for ids, weights in queue]
