"""The words of a text as the full-text index sees them, in scripts with and without spaces."""

import re

# Scripts that are written without spaces between words: Han, kana, Thai, Lao, Myanmar, Khmer.
_UNSPACED = re.compile(
    "[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff"
    "\uf900-\ufaff\U00020000-\U0003ffff]+"
)
_WORD = re.compile(r"\w+")


def indexable(text: str) -> str:
    """The text with runs of unspaced script written as overlapping pairs of characters.

    Pairs stand in for words there (the usual bigram index); all else stays as it is.
    """
    return _UNSPACED.sub(lambda run: f" {' '.join(_pairs(run.group()))} ", text)


def without(text: str, names: frozenset[str]) -> str:
    """The text without the given words (lower case); as it was where nothing else is left."""
    kept = _WORD.sub(lambda word: "" if word.group().lower() in names else word.group(), text)
    return kept if _WORD.search(kept) else text


def words_in(text: str) -> list[str]:
    """The words of a text in their order, lower case."""
    return _WORD.findall(text.lower())


def words_of(text: str) -> frozenset[str]:
    """The distinct words of a text, lower case."""
    return frozenset(words_in(text))


def _pairs(run: str) -> list[str]:
    return [run[i : i + 2] for i in range(len(run) - 1)] or [run]
