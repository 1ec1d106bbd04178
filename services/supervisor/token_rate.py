"""How many characters a token has, learnt from what a model's server counts.

Ollama's API has no way to count tokens ahead; it says after an answer how many it read. The rate of
each model follows that, from a start that is careful for every common tokenizer.
"""

_FIRST = 2.5  # characters of a token, before anything is known
_LEAST, _MOST = (
    0.5,
    6.0,
)  # outside of these the server counted something else, such as a cache's rest
_WEIGHT = 0.2  # of the newest answer
_MODELS = 64


class TokenRates:
    """Characters per token, by model tag."""

    def __init__(self) -> None:
        self._rates: dict[str, float] = {}

    def characters(self, tag: str, tokens: int) -> int:
        """About how many characters fill so many tokens."""
        return int(tokens * self._rates.get(tag, _FIRST))

    def learn(self, tag: str, characters: int, tokens: int) -> None:
        """Takes in what one answer's prompt had."""
        if not _LEAST * tokens <= characters <= _MOST * tokens or not tokens:
            return
        while tag not in self._rates and len(self._rates) >= _MODELS:
            self._rates.pop(next(iter(self._rates)))
        old = self._rates.get(tag, _FIRST)
        self._rates[tag] = old + _WEIGHT * (characters / tokens - old)
