"""Facts that the demo's user tells in conversations; the seed alone knows which."""

import tomllib
from pathlib import Path
from random import Random
from typing import TypedDict

COUNT = 8
TABLE = Path(__file__).parent / "facts.toml"


class ToldFact(TypedDict):
    """A statement, a question that it answers, and the words that a right answer holds."""

    statement: str
    question: str
    value: str


def draw(seed: int, count: int = COUNT) -> list[ToldFact]:
    """Draw facts of different kinds about the user, two conversations' worth."""
    rng = Random(f"facts/{seed}")
    rows = rng.sample(tomllib.loads(TABLE.read_text())["facts"], count)
    found: list[ToldFact] = []
    for row in rows:
        topic, value = rng.choice(row["topics"]), rng.choice(row["values"])
        say, ask = row["say"], rng.choice(row["ask"])
        statement, question = (text.format(topic=topic, value=value) for text in (say, ask))
        found.append({"statement": statement, "question": question, "value": value})
    return found
