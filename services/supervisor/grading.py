"""Ratings and corrections: how people say which turns are worth learning from."""

import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from typing import Self

from services.supervisor.events import EventKind, Happening
from services.supervisor.soma import TEXT_LIMIT_BYTES, Rating, Soma, Turn
from shared.errors import InvalidArgument

Receipt = Callable[[sqlite3.Connection, Turn], None]


@dataclass(frozen=True, slots=True)
class Grade:
    """What somebody says of a turn: a rating, or what it should have answered."""

    soma_id: str
    number: int
    rating: Rating | None = None
    correction: str = ""

    @classmethod
    def rated(cls, soma_id: str, number: int, rating: int) -> Self:
        """A rating; InvalidArgument for anything but GOOD and BAD."""
        if rating not in (Rating.GOOD, Rating.BAD):
            raise InvalidArgument.of_field("rating", "must be RATING_GOOD or RATING_BAD")
        return cls(soma_id, number, rating=Rating(rating))

    @classmethod
    def corrected(cls, soma_id: str, number: int, text: str) -> Self:
        """A correction; InvalidArgument for an empty or too long one."""
        if not text.strip():
            raise InvalidArgument.of_field("text", "must not be empty")
        if len(text.encode()) > TEXT_LIMIT_BYTES:
            raise InvalidArgument.of_field("text", f"must be at most {TEXT_LIMIT_BYTES} bytes")
        return cls(soma_id, number, correction=text)

    def happening(self, soma: Soma) -> Happening:
        """The event of this grade."""
        how = "corrected" if self.rating is None else f"rated {self.rating.name.lower()}"
        message = f"Turn {self.number} of {soma.name} was {how}."
        return Happening(EventKind.SOMA_GRADED, soma.persona, soma.name, message)
