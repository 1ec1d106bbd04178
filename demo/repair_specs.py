"""Specs that can be read in two ways: what is meant shows in a later example only."""

from dataclasses import replace
from random import Random
from typing import Any

from demo.known_specs import as_row
from demo.ordinary import is_ordinary
from services.model_server.starter_model.corpus import reading
from services.model_server.starter_model.corpus.holdout import Holdout
from services.model_server.starter_model.corpus.signature import Example
from services.model_server.starter_model.corpus.spec import UnusableDrawError

HOLDOUT = Holdout(carrier=True)
AGREEING = 2  # examples that a draft request shows


def draw(seed: int, count: int) -> list[dict[str, Any]]:
    """Draw specs whose first two examples fit both readings and whose third decides.

    The last example is for the finished tool alone.
    """
    rng = Random(f"repair/{seed}")
    found: dict[str, dict[str, Any]] = {}
    while len(found) < count:
        chosen = rng.choice(reading.readings())
        try:
            drawn = reading.draw(rng, chosen, HOLDOUT)
        except UnusableDrawError:
            continue
        spec = drawn.spec
        if not is_ordinary(spec, chosen.family):
            continue
        agreeing = len(spec.examples) > AGREEING + 1 and spec.examples[AGREEING] == drawn.deciding
        if agreeing and spec.family not in found:
            unseen = Example(*spec.examples[-1])
            examples = (*spec.examples[:3], spec.examples[0], unseen)
            found[spec.family] = as_row(replace(spec, examples=examples))
    return list(found.values())
