"""What a training run reads: a vocabulary and the corpus in batches, written once per folder."""

from random import Random

import torch
from tokenizers import Tokenizer

from services.model_server.starter_model import vocabulary
from services.model_server.starter_model.batch import Batch, batches
from services.model_server.starter_model.corpus.row import rows
from services.model_server.starter_model.plan import Plan

VOCABULARY_ROWS = 12000


def texts(seed: int, count: int) -> list[str]:
    """Return the text of the corpus from which the vocabulary is learnt."""
    return [message["content"] for row in rows(seed, count) for message in row.messages]


def write(plan: Plan) -> None:
    """Learn the vocabulary, then write the corpus as batches in their order; once per folder."""
    if not (plan.out / "tokenizer.json").exists():
        vocabulary.save(_vocabulary(plan), plan.out)
    if (plan.out / "batches.pt").exists():
        return
    tokenizer = Tokenizer.from_file(str(plan.out / "tokenizer.json"))
    encoded = [vocabulary.encode(tokenizer, row.messages) for row in rows(plan.seed, plan.rows)]
    queue = [(b.ids, b.weights) for b in batches(encoded, plan.batch_tokens, Random(plan.seed))]
    torch.save(queue, plan.out / "batches.tmp")
    (plan.out / "batches.tmp").rename(plan.out / "batches.pt")


def _vocabulary(plan: Plan) -> Tokenizer:
    if plan.begin:
        return Tokenizer.from_file(str(plan.begin / "tokenizer.json"))
    return vocabulary.train(texts(plan.seed + 1, min(VOCABULARY_ROWS, plan.rows)))


def load(plan: Plan) -> tuple[Tokenizer, list[Batch]]:
    """Return what `write` wrote."""
    queue = torch.load(plan.out / "batches.pt", weights_only=True)
    tokenizer = Tokenizer.from_file(str(plan.out / "tokenizer.json"))
    return tokenizer, [Batch(ids, weights) for ids, weights in queue]
