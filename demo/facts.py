"""Facts that the demo's user tells in conversations, with values that the model never saw."""

from random import Random
from typing import TypedDict

from services.model_server.starter_model.corpus import fact
from services.model_server.starter_model.corpus.holdout import Holdout

HOLDOUT = Holdout(value=True)
COUNT = 8


class ToldFact(TypedDict):
    """A statement, a question that it answers, and the words that a right answer holds."""

    statement: str
    question: str
    value: str


def draw(seed: int, count: int = COUNT) -> list[ToldFact]:
    """Draw facts of different kinds about the user, two conversations' worth."""
    rng = Random(f"facts/{seed}")
    kinds = rng.sample(fact.kind_names(), count)
    drawn = (fact.personal(rng, HOLDOUT, kind) for kind in kinds)
    return [{"statement": f.statement, "question": f.question, "value": f.value} for f in drawn]
