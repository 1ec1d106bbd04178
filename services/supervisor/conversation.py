"""Conversations: recall, prompt, answer, and a turn that is durable before it is finished."""

import asyncio
import time
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Protocol

from services.supervisor import prompt
from services.supervisor.model import ModelBackend
from services.supervisor.persona import Persona
from services.supervisor.recall import Recall, Recalled
from services.supervisor.soma import TEXT_LIMIT_BYTES, Soma, Turn
from services.supervisor.turn_gate import TurnGate
from shared.errors import (
    DeadlineExceeded,
    FailedPrecondition,
    InvalidArgument,
    ResourceExhausted,
)
from shared.keyed_locks import KeyedLocks
from shared.naming import new_id

_OFF_THE_GPU = {"num_gpu": 0}  # Ollama's word for layers on the GPU


@dataclass(frozen=True, slots=True)
class Question:
    """What a person says. `soma_id` "" begins a new Soma; `payload_sha256` is of the request."""

    request_id: str
    payload_sha256: bytes
    soma_id: str
    persona: str
    text: str


@dataclass(frozen=True, slots=True)
class Delta:
    """The next piece of an answer."""

    text: str


@dataclass(frozen=True, slots=True)
class Finished:
    """The end of a turn, which is now durable."""

    soma: Soma
    turn: Turn


Happening = Recalled | Delta | Finished


class Somas(Protocol):
    """Where Somas are kept."""

    async def finished(self, question: Question) -> Finished | None:
        """The turn that answered this request before; InvalidArgument for another request."""

    async def get(self, soma_id: str) -> Soma:
        """A Soma with its turns; NotFound."""

    async def keep(self, question: Question, soma: Soma, turn: Turn) -> Finished:
        """Makes a turn durable and gives it its number; begins the Soma where it is new."""

    async def close(self, soma_id: str, receipt: Callable[[Any, Soma], None]) -> Soma:
        """Ends a Soma, with its receipt in the same transaction; NotFound."""


class Personas(Protocol):
    """Where personas are kept."""

    async def get(self, name: str) -> Persona:
        """One persona; NotFound."""

    async def note_digest(self, persona: Persona, digest: str) -> Persona:
        """Keeps the digest of a pointer that had none."""


@dataclass(frozen=True, slots=True)
class Limits:
    """`window_characters` for system text, earlier turns and question; turns at once; seconds."""

    window_characters: int
    turns_at_once: int
    turn_seconds: float


class Conversation:
    """Answers turns: those of one Soma one after another, those of different Somas together."""

    def __init__(
        self,
        *,
        somas: Somas,
        personas: Personas,
        recall: Recall,
        model: ModelBackend,
        gate: TurnGate,
        limits: Limits,
    ) -> None:
        self._somas = somas
        self._personas = personas
        self._recall = recall
        self._model = model
        self._gate = gate
        self._limits = limits
        self._requests = KeyedLocks()
        self._turns = KeyedLocks()
        self._running = 0

    async def converse(self, question: Question) -> AsyncGenerator[Happening, None]:
        """Recalled, deltas, finished. Closing this early stops the model; nothing is kept then.

        The turn runs in a task of its own, so that a slow reader delays nobody else's turn.
        """
        happenings: asyncio.Queue[Happening | None] = asyncio.Queue()
        turn = asyncio.create_task(self._run(question, happenings.put_nowait))
        turn.add_done_callback(lambda _: happenings.put_nowait(None))
        try:
            while (happening := await happenings.get()) is not None:
                yield happening
            await turn
        finally:
            turn.cancel()
            await asyncio.wait({turn})

    async def close(self, soma_id: str, receipt: Callable[[Any, Soma], None]) -> Soma:
        """Ends a Soma once the turn that it is in is over; NotFound."""
        async with self._turns.hold(soma_id):
            return await self._somas.close(soma_id, receipt)

    async def _run(self, question: Question, tell: Callable[[Happening], None]) -> None:
        if self._running >= self._limits.turns_at_once:
            raise ResourceExhausted("too many turns at once", retry_after=1.0)
        self._running += 1
        try:
            # The same request sent twice waits for the first, then gets its turn.
            async with self._requests.hold(question.request_id):
                await self._replay_or_answer(question, tell)
        finally:
            self._running -= 1

    async def _replay_or_answer(
        self, question: Question, tell: Callable[[Happening], None]
    ) -> None:
        finished = await self._somas.finished(question)
        if finished is None:
            _check(question)
            arrived = time.monotonic(), datetime.now(UTC)
            soma_id = question.soma_id or new_id()
            async with self._turns.hold(soma_id), self._gate.turn() as on_cpu:
                soma = await self._soma(question, soma_id)
                finished = await self._bounded(_Asked(question, soma, *arrived, on_cpu), tell)
        else:
            tell(Recalled(finished.turn.recollections, finished.turn.recall_unavailable))
            tell(Delta(finished.turn.assistant_text))
        tell(finished)

    async def _bounded(self, asked: "_Asked", tell: Callable[[Happening], None]) -> Finished:
        seconds = self._limits.turn_seconds
        try:
            async with asyncio.timeout(seconds):
                return await self._answer(asked, tell)
        except TimeoutError:
            raise DeadlineExceeded(
                f"the answer took longer than {seconds:.0f} s", reason="MODEL_TOO_SLOW"
            ) from None

    async def _answer(self, asked: "_Asked", tell: Callable[[Happening], None]) -> Finished:
        question, soma = asked.question, asked.soma
        persona = await self._speaking(soma.persona)
        recalled = await self._recall.recall(soma.persona, question.text, soma.name)
        tell(recalled)
        system = prompt.system_text(persona.system_prompt, recalled.recollections)
        chat = prompt.messages(system, soma.turns, question.text, self._limits.window_characters)
        text, first_token = await self._spoken(persona, chat, asked, tell)
        turn = Turn(
            number=0,  # given when it is kept
            user_text=question.text,
            assistant_text=text,
            system_text=system,
            recollections=recalled.recollections,
            model=persona.model,
            created_at=asked.at,
            first_token_seconds=first_token,
            wall_seconds=asked.elapsed(),
            recall_unavailable=recalled.unavailable,
        )
        return await self._somas.keep(question, soma, turn)

    async def _spoken(
        self,
        persona: Persona,
        chat: Sequence[prompt.Message],
        asked: "_Asked",
        tell: Callable[[Happening], None],
    ) -> tuple[str, float]:
        """The whole answer, and the seconds to its first piece."""
        pieces: list[str] = []
        first_token = 0.0
        options = {**persona.options, **(_OFF_THE_GPU if asked.on_cpu else {})}
        spoken = self._model.chat(persona.model.tag, chat, options)
        async with aclosing(spoken) as answer:
            async for piece in answer:
                first_token = first_token or asked.elapsed()
                pieces.append(piece)
                tell(Delta(piece))
        return "".join(pieces), first_token

    async def _soma(self, question: Question, soma_id: str) -> Soma:
        if question.soma_id:
            soma = await self._somas.get(soma_id)
            if soma.closed_at:
                raise FailedPrecondition(
                    f"{soma.name} is closed; begin another one", reason="SOMA_CLOSED"
                )
            if question.persona not in ("", soma.persona):
                raise InvalidArgument.of_field("persona", f"{soma.name} is {soma.persona}'s")
            return soma
        return Soma(soma_id, question.persona, datetime.now(UTC))

    async def _speaking(self, name: str) -> Persona:
        """The persona as it stands; at its first turn the digest of its model is noted."""
        persona = await self._personas.get(name)
        if persona.model.digest:
            return persona
        digest = await self._model.digest(persona.model.tag)
        if not digest:
            raise FailedPrecondition(
                f"the model backend has no model {persona.model.tag!r}; create or pull it there",
                reason="MODEL_NOT_FOUND",
            )
        return await self._personas.note_digest(persona, digest)


@dataclass(frozen=True, slots=True)
class _Asked:
    question: Question
    soma: Soma
    started: float
    at: datetime
    on_cpu: bool

    def elapsed(self) -> float:
        return time.monotonic() - self.started


def _check(question: Question) -> None:
    if not question.text:
        raise InvalidArgument.of_field("text", "must not be empty")
    if len(question.text.encode()) > TEXT_LIMIT_BYTES:
        raise InvalidArgument.of_field("text", f"must be at most {TEXT_LIMIT_BYTES} bytes")
    if not question.soma_id and not question.persona:
        raise InvalidArgument.of_field("persona", "name a persona, or a Soma to go on with")
