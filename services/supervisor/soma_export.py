"""All Somas with all of their turns, in pieces that fit into messages."""

from collections.abc import AsyncGenerator, Sequence
from dataclasses import replace
from typing import Protocol

from services.supervisor.soma import Soma

_SOMAS = 50
_TURNS = 20  # of at most some 200 KiB each


class Somas(Protocol):
    """Where Somas are kept."""

    async def oldest(self, persona: str, after: int, size: int) -> Sequence[tuple[int, Soma]]:
        """Somas without turns, oldest first, each with its ordinal; `after` 0 starts anew."""

    async def after(self, soma_id: str, number: int, limit: int) -> Soma:
        """A Soma with at most `limit` turns after this number, in order."""


async def pieces(somas: Somas, persona: str) -> AsyncGenerator[Soma, None]:
    """Each Soma with its next turns, until there are no more; `persona` "" means all."""
    last = 0
    while page := await somas.oldest(persona, last, _SOMAS):
        for ordinal, bare in page:
            last, number = ordinal, 0
            while turns := (await somas.after(bare.id, number, _TURNS)).turns:
                number = turns[-1].number
                yield replace(bare, turns=turns)
