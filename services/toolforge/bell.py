"""Tells those who wait within this process that something happened."""

import asyncio


class Bell:
    """One bell per key. Listen first, then look, then wait: no ring is missed that way."""

    def __init__(self) -> None:
        self._rings: dict[str, asyncio.Event] = {}

    def listen(self, key: str) -> asyncio.Event:
        """An event that the next ring sets."""
        return self._rings.setdefault(key, asyncio.Event())

    def ring(self, key: str) -> None:
        """Wakes all who listen."""
        if event := self._rings.pop(key, None):
            event.set()
