"""What a client resends with every request, in the turns that a Soma has."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass

from shared.errors import InvalidArgument

_SYSTEM = ("system", "developer")
_ROLES = (*_SYSTEM, "user", "assistant")


@dataclass(frozen=True, slots=True)
class Said:
    """One message of a client: who, and the words."""

    role: str
    text: str


@dataclass(frozen=True, slots=True)
class Dialogue:
    """Earlier turns as (question, answer), and what is asked now.

    `last` is the last message alone; `text` is it with those that were left without an answer.
    `has_system` where a system message came, which no persona is given.
    """

    earlier: tuple[tuple[str, str], ...]
    text: str
    last: str
    has_system: bool

    @classmethod
    def of(cls, messages: Sequence[Said]) -> Dialogue:
        """The turns in messages; InvalidArgument where they do not end with a question.

        Messages of one side that follow each other are one; an answer before the first question
        (a greeting that the client made up) belongs to no turn.
        """
        _check(messages)
        sides = _sides([said for said in messages if said.role not in _SYSTEM])
        pairs = [(q.text, a.text) for q, a in zip(sides[::2], sides[1::2], strict=False)]
        return cls(
            earlier=tuple(pairs),
            text=sides[-1].text,
            last=messages[-1].text,
            has_system=any(said.role in _SYSTEM for said in messages),
        )

    def history(self, persona: str) -> bytes:
        """A digest of the persona and the earlier turns."""
        return _digest(persona, self.earlier)

    def continued(self, persona: str, answer: str) -> bytes:
        """The `history` that the next request will have if its client heard this answer."""
        return _digest(persona, (*self.earlier, (self.text, answer)))


def _check(messages: Sequence[Said]) -> None:
    for place, said in enumerate(messages):
        if said.role not in _ROLES:
            raise InvalidArgument.of_field(
                f"messages[{place}].role", f"must be one of {', '.join(_ROLES)}"
            )
    if not messages or messages[-1].role != "user":
        raise InvalidArgument.of_field("messages", "must end with a message of role user")
    if not messages[-1].text.strip():
        raise InvalidArgument.of_field(f"messages[{len(messages) - 1}].content", "must have text")


def _sides(messages: Sequence[Said]) -> list[Said]:
    """The user's and the assistant's words in turn, the user's first and last."""
    sides: list[Said] = []
    for said in messages:
        if sides and sides[-1].role == said.role:
            sides[-1] = Said(said.role, "\n\n".join(filter(None, (sides[-1].text, said.text))))
        elif sides or said.role == "user":
            sides.append(said)
    return sides


def _digest(persona: str, turns: Sequence[tuple[str, str]]) -> bytes:
    # Clients trim what they show and send back.
    words = [persona, *(text.strip() for turn in turns for text in turn)]
    return hashlib.sha256(json.dumps(words).encode()).digest()
