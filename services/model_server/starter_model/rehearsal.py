"""The rehearsal: rows that the model knows, which travel with the weights, for any fine-tune.

A row is known where the model's own greedy answer is the row's. Rows that it does not know would
teach it while it should only be kept from forgetting, and cost it what it knew at the edges
(replay of a model's own answers: Yang et al. 2024, self-distillation, arXiv 2402.13669).
"""

import gzip
import json
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import torch
from rich.progress import track
from tokenizers import Tokenizer
from transformers import LlamaForCausalLM

from services.model_server.starter_model import checkpoint, vocabulary
from services.model_server.starter_model.batch import pad
from services.model_server.starter_model.corpus.row import Row, rows

COUNT = 1500
SEED = 7001  # of no training run
MOST = 8  # times as many rows are drawn, at most
GROUP = 16  # rows that are looked at together


def write(trained: Path, path: Path, count: int = COUNT) -> None:
    """Write `count` rows that the trained folder's model knows as gzipped JSON lines of messages.

    Fewer where it knows less than one row in `MOST`.
    """
    tokenizer = Tokenizer.from_file(str(trained / "tokenizer.json"))
    found = islice(known(checkpoint.trained(trained), tokenizer, count * MOST), count)
    lines = [
        json.dumps({"messages": list(row.messages)})
        for row in track(found, "rehearsal", total=count)
    ]
    path.write_bytes(gzip.compress("\n".join(lines).encode() + b"\n", mtime=0))


def known(network: LlamaForCausalLM, tokenizer: Tokenizer, count: int) -> Iterator[Row]:
    """Yield those of the corpus' first `count` rows whose answer is the model's own."""
    network.eval()
    drawn = rows(SEED, count)
    while group := list(islice(drawn, GROUP)):
        batch = pad([vocabulary.encode(tokenizer, row.messages) for row in group])
        ids, answers = batch.ids.long(), batch.weights[:, 1:] == 1
        with torch.inference_mode():
            said = network(input_ids=ids[:, :-1], use_cache=False).logits.argmax(-1)
        right = ((said == ids[:, 1:]) | ~answers).all(1)
        yield from (row for row, is_right in zip(group, right.tolist(), strict=True) if is_right)
