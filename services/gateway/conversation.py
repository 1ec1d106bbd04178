"""Turns on behalf of clients: finds the Soma that each belongs to, and has the persona answer."""

from __future__ import annotations

import uuid
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass
from typing import Protocol

from services.gateway.dialogue import Dialogue
from services.gateway.known_somas import KnownSomas
from services.gateway.speech import Delta, Finished, Persona, Turns, Utterance
from shared.errors import InvalidArgument

_NAMESPACE = uuid.UUID("5f1c2c4e-0c3f-4c0e-9a52-7a1d6c1f1a10")
_LONGEST_KEY = 255


class Supervisor(Protocol):
    """Who speaks for the personas."""

    async def persona(self, model: str) -> Persona:
        """The persona of that name; NotFound."""

    async def take_over(self, soma_id: str, persona: str, turns: Turns) -> str:
        """Makes a Soma of earlier turns; its name."""

    def converse(self, utterance: Utterance) -> AsyncGenerator[Delta | Finished, None]:
        """One turn; closing it cancels it."""


@dataclass(frozen=True, slots=True)
class Call:
    """A client's request. `soma` and `key` are its headers, "" where they are absent."""

    model: str
    dialogue: Dialogue
    soma: str = ""
    key: str = ""


@dataclass(frozen=True, slots=True)
class Placed:
    """A call that has its Soma: "" for a new one, whose name comes with the end of the turn.

    `claimed` is the history that led to it, given back where the turn comes to nothing.
    """

    persona: Persona
    dialogue: Dialogue
    utterance: Utterance
    claimed: bytes | None = None


class Conversations:
    """Places calls and answers them."""

    def __init__(self, supervisor: Supervisor, known: KnownSomas) -> None:
        self._supervisor = supervisor
        self._known = known

    async def place(self, call: Call) -> Placed:
        """Finds the persona and the Soma of a call.

        That is the Soma which the client names; or the one that its earlier turns led to; or, where
        nobody here knows these, a new one made of them. NotFound for an unknown persona.
        """
        request_id = request_id_of(call.key)
        persona = await self._supervisor.persona(call.model)
        if call.soma:
            utterance = Utterance(request_id, call.soma, persona.name, call.dialogue.last)
            return Placed(persona, call.dialogue, utterance)
        return await self._recognised(request_id, persona, call.dialogue)

    async def answer(self, placed: Placed) -> AsyncGenerator[Delta | Finished, None]:
        """The turn, piece by piece; closing it early cancels it."""
        finished = False
        try:
            async with aclosing(self._supervisor.converse(placed.utterance)) as events:
                async for event in events:
                    if isinstance(event, Finished):
                        self._learn(placed, event)
                        finished = True
                    yield event
        finally:
            if placed.claimed and not finished:
                self._known.learn(placed.claimed, placed.utterance.soma)

    async def _recognised(self, request_id: str, persona: Persona, dialogue: Dialogue) -> Placed:
        history = dialogue.history(persona.name)
        payload = dialogue.continued(persona.name, "")
        soma = self._known.placed(request_id, payload)
        claimed = None
        if soma is None and dialogue.earlier:
            soma = self._known.claim(history)
            claimed = history if soma else None
            soma = soma or await self._taken_over(request_id, persona, dialogue)
        soma = soma or ""
        self._known.place(request_id, payload, soma)
        utterance = Utterance(request_id, soma, persona.name, dialogue.text)
        return Placed(persona, dialogue, utterance, claimed)

    async def _taken_over(self, request_id: str, persona: Persona, dialogue: Dialogue) -> str:
        # Named by its request and words, so that one that is sent again after our restart finds it.
        words = dialogue.history(persona.name).hex()
        soma_id = f"gateway-{uuid.uuid5(uuid.UUID(request_id), words).hex}"
        return await self._supervisor.take_over(soma_id, persona.name, dialogue.earlier)

    def _learn(self, placed: Placed, finished: Finished) -> None:
        dialogue, persona = placed.dialogue, placed.persona.name
        if dialogue.earlier:  # whoever asks after it once more is no longer this Soma
            self._known.claim(dialogue.history(persona))
        self._known.learn(dialogue.continued(persona, finished.text), finished.soma)


def request_id_of(key: str) -> str:
    """The request id for an Idempotency-Key, the same each time; a fresh one without a key."""
    if not key:
        return str(uuid.uuid4())
    if len(key) > _LONGEST_KEY:
        raise InvalidArgument.of_field(
            "Idempotency-Key", f"must have at most {_LONGEST_KEY} characters"
        )
    return str(uuid.uuid5(_NAMESPACE, key))
