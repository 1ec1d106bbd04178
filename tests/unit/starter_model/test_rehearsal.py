"""The rehearsal holds rows whose answers are the model's own."""

import gzip
import json
from pathlib import Path

import pytest
import torch
from tokenizers import Tokenizer

from services.model_server.starter_model import checkpoint, rehearsal, vocabulary
from services.model_server.starter_model.vocabulary import END, END_ID

WEIGHTS = Path(rehearsal.__file__).parent / "weights"
FROM_ROWS = 32


@pytest.fixture(scope="module")
def network():
    return checkpoint.trained(WEIGHTS).eval()


@pytest.fixture(scope="module")
def tokenizer():
    return Tokenizer.from_file(str(WEIGHTS / "tokenizer.json"))


@pytest.fixture(scope="module")
def known(network, tokenizer):
    return list(rehearsal.known(network, tokenizer, FROM_ROWS))


def _said(network, tokenizer, messages) -> str:
    ids, weights = vocabulary.encode(tokenizer, messages)
    prompt = torch.from_numpy(ids[weights < 1]).long()[None]
    answer = network.generate(
        prompt,
        attention_mask=torch.ones_like(prompt),
        max_new_tokens=200,
        do_sample=False,
        eos_token_id=END_ID,
        pad_token_id=0,
    )
    return tokenizer.decode(answer[0][prompt.shape[1] :].tolist(), skip_special_tokens=False)


def test_known_rows_are_those_that_the_model_says_itself(network, tokenizer, known):
    assert 0 < len(known) < FROM_ROWS
    for row in known[:4]:
        assert _said(network, tokenizer, row.messages) == row.messages[-1]["content"] + END


def test_the_committed_rows_are_the_first_known_ones(known):
    lines = gzip.decompress((WEIGHTS / "rehearsal.jsonl.gz").read_bytes()).decode().splitlines()
    kept = [json.loads(line)["messages"] for line in lines]
    assert len(kept) == rehearsal.COUNT
    found = [list(row.messages) for row in known]
    # Another machine's rounding may turn one answer that hangs in the balance.
    assert sum(messages in found for messages in kept[:10]) >= 9
