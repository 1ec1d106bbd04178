"""The primer: random tokens said twice, from which a network learns to copy before all else.

Copying from the context comes late, or not at all, where it is only a small part of each row; on
nothing but repetitions it comes within a hundred steps (the induction heads of Olsson et al. 2022).
"""

import numpy as np
import torch

from services.model_server.starter_model.batch import Batch

ROWS = 24
SHORTEST, LONGEST = 12, 44  # tokens that are repeated
SPECIAL = 3  # ids below are markers


def batch(rng: np.random.Generator, vocabulary: int) -> Batch:
    """Return rows of random tokens, a gap and the same tokens again; only these are learnt."""
    said, gap = (int(rng.integers(*bounds)) for bounds in ((SHORTEST, LONGEST), (0, 20)))
    first = rng.integers(SPECIAL, vocabulary, (ROWS, said))
    ids = np.concatenate([first, rng.integers(SPECIAL, vocabulary, (ROWS, gap)), first], axis=1)
    weights = np.zeros(ids.shape, np.float32)
    weights[:, said + gap + 1 :] = 1.0
    return Batch(torch.from_numpy(ids), torch.from_numpy(weights))


def interleave(queue: list[Batch], count: int, vocabulary: int, seed: int) -> list[Batch]:
    """Put `count` primer batches among the first batches of a queue, by turns."""
    rng = np.random.default_rng(seed)
    drawn = [batch(rng, vocabulary) for _ in range(min(count, len(queue)))]
    mixed = [one for pair in zip(drawn, queue, strict=False) for one in pair]
    return mixed + queue[len(drawn) :]
