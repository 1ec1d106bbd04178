"""How probable the tokens of an answer were, where a request asks for that."""

from __future__ import annotations

from typing import Any

from services.model_server.errors import BadRequestError
from services.model_server.requests import ChatRequest, GenerateRequest

_MOST = 20
Logprobs = list[dict[str, Any]]


class Probabilities:
    """What one request wants to know; BadRequestError where it asks for too much or too little."""

    def __init__(self, request: ChatRequest | GenerateRequest) -> None:
        self._top = request.top_logprobs or 0
        self.wanted = bool(request.logprobs)
        if not 0 <= self._top <= _MOST:
            raise BadRequestError(f"top_logprobs must be between 0 and {_MOST}")

    def fields(self) -> dict[str, Any]:
        """The fields of a llama.cpp request."""
        return {"n_probs": max(1, self._top)} if self.wanted else {}

    def told(self, tokens: Logprobs) -> dict[str, Any]:
        """The fields of an answer's line; natural logarithms, as llama.cpp gives them."""
        if not self.wanted or not tokens:
            return {}
        return {"logprobs": [self._token(token) for token in tokens]}

    def _token(self, token: dict[str, Any]) -> dict[str, Any]:
        told = {name: token.get(name) for name in ("token", "logprob", "bytes")}
        if self._top:
            told["top_logprobs"] = [
                {name: other.get(name) for name in ("token", "logprob", "bytes")}
                for other in token.get("top_logprobs", [])[: self._top]
            ]
        return told


def whole_logprobs(lines: list[dict[str, Any]]) -> dict[str, Any]:
    """Those of all lines as one field; none where no line has any."""
    found = [token for line in lines for token in line.get("logprobs", [])]
    return {"logprobs": found} if found else {}
