"""Words: a plain lexicon, and made-up words, so that copying has to be learnt."""

from random import Random

from services.model_server.starter_model.corpus.holdout import is_held
from services.model_server.starter_model.corpus.wording import table, words

PLAIN, NAMES, ONSETS, NUCLEI = (
    words("words", key) for key in ("plain", "names", "onsets", "nuclei")
)
CODAS: list[str] = table("words")["codas"]


def syllable(rng: Random) -> str:
    """Return one made-up syllable."""
    return rng.choice(ONSETS) + rng.choice(NUCLEI) + rng.choice(CODAS)


def coin(rng: Random, held: bool, syllables: int | None = None) -> str:
    """Make a word up that lies on the wanted side of the hold-out."""
    for _ in range(200):
        word = "".join(syllable(rng) for _ in range(syllables or rng.choice((1, 2, 2, 3))))
        if is_held(word) == held and len(word) > 2:
            return word
    raise ValueError("no made-up word found on that side")


def common(rng: Random, held: bool) -> str:
    """Return a plain word, now and then a made-up one."""
    if rng.random() < 0.12:
        return coin(rng, held)
    for _ in range(200):
        word = rng.choice(PLAIN)
        if is_held(word) == held:
            return word
    raise ValueError("no plain word found on that side")
