"""Specs of families that the starter model knows, in new words and with new values."""

from random import Random
from typing import Any

from demo.ordinary import is_ordinary
from services.model_server.starter_model.corpus import family
from services.model_server.starter_model.corpus.holdout import Holdout
from services.model_server.starter_model.corpus.spec import Spec, UnusableDrawError

HOLDOUT = Holdout(carrier=True)
EXAMPLES = 6  # the last ones are for the finished tool alone


def as_row(spec: Spec) -> dict[str, Any]:
    """Return {name, description, examples: [{arguments, result}], source}."""
    examples = [
        {"arguments": dict(zip(spec.parameters, e.arguments, strict=True)), "result": e.result}
        for e in spec.examples
    ]
    return {
        "name": spec.name,
        "description": spec.description,
        "examples": examples,
        "source": spec.source,
    }


def draw(seed: int, count: int) -> list[dict[str, Any]]:
    """Draw specs of different families in everyday words, with sentences new to the model."""
    rng = Random(f"known/{seed}")
    found: dict[str, dict[str, Any]] = {}
    for chosen in rng.sample(family.families(), len(family.families())):
        if len(found) == count:
            break
        try:
            spec = family.draw(rng, chosen, HOLDOUT, examples=EXAMPLES)
        except UnusableDrawError:
            continue
        if len(spec.examples) == EXAMPLES and is_ordinary(spec, chosen):
            found.setdefault(spec.name, as_row(spec))
    return list(found.values())
