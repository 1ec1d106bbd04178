"""Pages of Somas, newest first."""

import base64
import binascii
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from services.supervisor.soma import Soma
from shared.errors import InvalidArgument
from shared.pages import size_of


@dataclass(frozen=True, slots=True)
class Query:
    """Which Somas. `persona` "" means all; `size` 0 means 50, more than 500 means 500."""

    persona: str
    golden_only: bool
    size: int
    token: str


class Pages(Protocol):
    """Where Somas are kept."""

    async def page(
        self, persona: str, golden_only: bool, before: int, size: int
    ) -> Sequence[tuple[int, Soma]]:
        """Somas with their ordinals, newest first; `before` 0 starts anew."""


async def listed(pages: Pages, query: Query) -> tuple[list[Soma], str]:
    """A page and the token of the next, "" on the last."""
    size = size_of(query.size)
    # One more than asked for tells whether there is a next page.
    found = await pages.page(query.persona, query.golden_only, _before(query), size + 1)
    shown = found[:size]
    token = _token(query, shown[-1][0]) if len(found) > size else ""
    return [soma for _, soma in shown], token


def _token(query: Query, ordinal: int) -> str:
    # It carries the query, so that it cannot be taken to another listing unnoticed.
    words = json.dumps([query.persona, query.golden_only, ordinal])
    return base64.urlsafe_b64encode(words.encode()).decode()


def _before(query: Query) -> int:
    if not query.token:
        return 0
    try:
        persona, golden_only, ordinal = json.loads(base64.urlsafe_b64decode(query.token))
    except (binascii.Error, ValueError, TypeError):
        raise InvalidArgument.of_field("page_token", "is not one of ours") from None
    if (persona, golden_only) != (query.persona, query.golden_only) or type(ordinal) is not int:
        raise InvalidArgument.of_field("page_token", "belongs to another listing")
    return ordinal
