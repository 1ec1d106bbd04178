"""Guests, and where they are kept."""

import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from shared.errors import InvalidArgument

LONGEST_NAME_BYTES = 200


@dataclass(frozen=True, slots=True)
class Guest:
    """Who was here; `number` counts from 1."""

    number: int
    name: str


Receipt = Callable[[sqlite3.Connection, Guest], None]


class Guestbook(Protocol):
    """Where guests are kept; durable when a method returns."""

    async def sign(self, name: str, receipt: Receipt) -> Guest:
        """Keeps a guest, and writes the receipt in the same transaction."""

    async def after(self, number: int, limit: int) -> Sequence[Guest]:
        """At most `limit` guests after a number, in order."""


def check_name(name: str) -> str:
    """The name; InvalidArgument where it is empty or too long."""
    if not 1 <= len(name.encode()) <= LONGEST_NAME_BYTES:
        raise InvalidArgument.of_field("name", f"must have 1 to {LONGEST_NAME_BYTES} bytes")
    return name
