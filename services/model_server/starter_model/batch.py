"""Batches: rows of about one length together, so that little is padding."""

from collections.abc import Iterator
from dataclasses import dataclass
from random import Random

import numpy as np
import torch

from services.model_server.starter_model.vocabulary import CONTEXT, Tokens, Weights

POOL = 4096  # rows among which lengths are sorted


@dataclass(frozen=True)
class Batch:
    """Ids (rows, length), int16; weights of the same shape, float16, zero on padding."""

    ids: torch.Tensor
    weights: torch.Tensor


def batches(rows: list[tuple[Tokens, Weights]], tokens: int, rng: Random) -> Iterator[Batch]:
    """Yield all rows once, in batches of at most `tokens` ids, in a seeded order."""
    for start in range(0, len(rows), POOL):
        pool = sorted(rows[start : start + POOL], key=lambda row: len(row[0]))
        groups: list[list[tuple[Tokens, Weights]]] = [[]]
        for row in pool:
            if (len(groups[-1]) + 1) * len(row[0]) > tokens and groups[-1]:
                groups.append([])
            groups[-1].append(row)
        rng.shuffle(groups)
        yield from (pad(group) for group in groups)


def pad(group: list[tuple[Tokens, Weights]]) -> Batch:
    """Pad a group on the right to its longest row, at most the context."""
    longest = min(max(len(ids) for ids, _ in group), CONTEXT)
    ids = np.zeros((len(group), longest), np.int16)
    weights = np.zeros((len(group), longest), np.float16)
    for place, (row_ids, row_weights) in enumerate(group):
        ids[place, : len(row_ids)] = row_ids[:longest]
        weights[place, : len(row_ids)] = row_weights[:longest]
    return Batch(torch.from_numpy(ids), torch.from_numpy(weights))
