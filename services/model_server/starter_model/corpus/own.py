"""Repairs of the model's own failed drafts, which `own_repairs` collected."""

import gzip
import json
from functools import cache
from pathlib import Path
from random import Random

from services.model_server.starter_model.corpus.conversation import Message

PATH = Path(__file__).parent / "own_repairs.jsonl.gz"


@cache
def rows() -> tuple[list[Message], ...]:
    """Return all rows of the file."""
    lines = gzip.decompress(PATH.read_bytes()).decode().splitlines()
    return tuple(json.loads(line)["messages"] for line in lines)


def draw(rng: Random) -> list[Message]:
    """Draw one row."""
    return list(rng.choice(rows()))
