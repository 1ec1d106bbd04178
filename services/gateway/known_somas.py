"""Which Soma a conversation is, for clients that know nothing of Somas; in memory only."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable
from typing import Generic, TypeVar

from shared.errors import InvalidArgument

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class KnownSomas:
    """Remembers which Soma a history led to, and which Soma a request was given.

    Each at most `limit` times; what was used longest ago is forgotten first.
    """

    def __init__(self, limit: int) -> None:
        self._by_history: _Recent[bytes, str] = _Recent(limit)
        self._by_request: _Recent[str, tuple[bytes, str]] = _Recent(limit)

    def claim(self, history: bytes) -> str:
        """The Soma that this history led to, for one caller only; "" where none is known.

        Who asks otherwise after the same history (another answer is wanted) goes another way.
        """
        return self._by_history.take(history) or ""

    def learn(self, history: bytes, soma: str) -> None:
        """From now on this history is that Soma's; so again after a claim that came to nothing."""
        self._by_history.put(history, soma)

    def placed(self, request_id: str, payload: bytes) -> str | None:
        """The Soma that this request was given before, "" for a new one; None for a new request.

        InvalidArgument (REQUEST_ID_REUSED) where it had another payload.
        """
        known = self._by_request.get(request_id)
        if known is None:
            return None
        if known[0] != payload:
            raise InvalidArgument(
                "Idempotency-Key: was used for another request", reason="REQUEST_ID_REUSED"
            )
        return known[1]

    def place(self, request_id: str, payload: bytes, soma: str) -> None:
        """Keeps the Soma of a request, for when it is sent again."""
        self._by_request.put(request_id, (payload, soma))


class _Recent(Generic[K, V]):
    """A dict that forgets what was used longest ago."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._values: OrderedDict[K, V] = OrderedDict()

    def get(self, key: K) -> V | None:
        if key in self._values:
            self._values.move_to_end(key)
        return self._values.get(key)

    def take(self, key: K) -> V | None:
        return self._values.pop(key, None)

    def put(self, key: K, value: V) -> None:
        self._values[key] = value
        self._values.move_to_end(key)
        if len(self._values) > self._limit:
            self._values.popitem(last=False)
