"""Copying drills: names, numbers and words said again, bare or as code.

Copying what stands in the request is the skill that a small model lacks first.
"""

from random import Random

from services.model_server.starter_model.corpus.conversation import Message
from services.model_server.starter_model.corpus.persona import PROMPTS
from services.model_server.starter_model.corpus.values import date
from services.model_server.starter_model.corpus.words import NAMES, PLAIN, coin

ASKS = ["Repeat: ", "Say this again: ", "Copy this: ", "Once more: ", "Echo: ", "Write down: "]


def item(rng: Random) -> str:
    """Return one thing to copy: a word, a made-up word, a name, a number, an identifier."""
    made = (
        rng.choice(PLAIN),
        rng.choice(PLAIN),
        coin(rng, False),
        coin(rng, False).capitalize(),
        rng.choice(NAMES),
        str(rng.randint(0, rng.choice((99, 9999, 99999)))),
        identifier(rng),
        repr(rng.choice(PLAIN)),
        date(rng),
    )
    return rng.choice(made)


def identifier(rng: Random) -> str:
    """Return a name as code has them."""
    return "_".join(
        rng.choice((rng.choice(PLAIN), coin(rng, False))) for _ in range(rng.randint(1, 3))
    )


def draw(rng: Random) -> list[Message]:
    """Draw one drill."""
    asked, answer = rng.choice((again, again, header, call, quoted))(rng)
    return [
        {"role": "system", "content": PROMPTS[rng.choice(list(PROMPTS))]},
        {"role": "user", "content": asked},
        {"role": "assistant", "content": answer},
    ]


def again(rng: Random) -> tuple[str, str]:
    """Ask for the same words again."""
    words = " ".join(item(rng) for _ in range(rng.randint(3, 14)))
    return rng.choice(ASKS) + words, words


def header(rng: Random) -> tuple[str, str]:
    """Ask for the first line of a function, and the sum of its parameters."""
    name = identifier(rng)
    given = list(dict.fromkeys(identifier(rng) for _ in range(rng.randint(1, 4))))
    asked = f"Head of {name} with {', '.join(given)} and their sum:"
    return asked, f"def {name}({', '.join(given)}):\n    return {' + '.join(given)}"


def call(rng: Random) -> tuple[str, str]:
    """Ask for a call with arguments."""
    name = identifier(rng)
    given = [item(rng) for _ in range(rng.randint(1, 5))]
    return f"Call {name} with {' and '.join(given)}", f"{name}({', '.join(given)})"


def quoted(rng: Random) -> tuple[str, str]:
    """Ask for words as a list of quoted strings."""
    given = [rng.choice((rng.choice(PLAIN), coin(rng, False))) for _ in range(rng.randint(2, 8))]
    return f"As strings: {' '.join(given)}", "[" + ", ".join(repr(word) for word in given) + "]"
