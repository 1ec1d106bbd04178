"""Conversations: turns in order, answered once, and durable before they are finished."""

import asyncio
import time
from collections.abc import AsyncGenerator, Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Protocol

from services.supervisor.answering import Answering, Asked, Question, Ready
from services.supervisor.recall import Recalled
from services.supervisor.soma import TEXT_LIMIT_BYTES, Soma, Turn
from services.supervisor.speech import Called, Calling, Delta, Saying
from services.supervisor.telling import told
from services.supervisor.tools import Outcome
from services.supervisor.turn_gate import TurnGate
from shared.errors import (
    DeadlineExceeded,
    FailedPrecondition,
    InvalidArgument,
    ResourceExhausted,
)
from shared.keyed_locks import KeyedLocks
from shared.naming import new_id


@dataclass(frozen=True, slots=True)
class Finished:
    """The end of a turn, which is now durable."""

    soma: Soma
    turn: Turn


Happening = Ready | Saying | Finished


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


@dataclass(frozen=True, slots=True)
class Limits:
    """Turns at once, waiting ones included, and seconds of one turn, waiting not included."""

    turns_at_once: int
    turn_seconds: float


class Conversation:
    """Answers turns: those of one Soma one after another, those of different Somas together."""

    def __init__(
        self,
        *,
        somas: Somas,
        answering: Answering,
        gate: TurnGate,
        limits: Limits,
    ) -> None:
        self._somas = somas
        self._answering = answering
        self._gate = gate
        self._limits = limits
        self._requests = KeyedLocks()
        self._turns = KeyedLocks()
        self._running = 0

    def converse(self, question: Question) -> AsyncGenerator[Happening, None]:
        """Ready, deltas and calls, finished. Closing early stops the model, and keeps nothing."""
        return told(lambda tell: self._run(question, tell))

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
                finished = await self._bounded(Asked(question, soma, *arrived, on_cpu), tell)
        else:
            for happening in retold(finished.turn):
                tell(happening)
        tell(finished)

    async def _bounded(self, asked: Asked, tell: Callable[[Happening], None]) -> Finished:
        seconds = self._limits.turn_seconds
        try:
            async with asyncio.timeout(seconds):
                turn = await self._answering.answer(asked, tell)
                return await self._somas.keep(asked.question, asked.soma, turn)
        except TimeoutError:
            raise DeadlineExceeded(
                f"the answer took longer than {seconds:.0f} s", reason="MODEL_TOO_SLOW"
            ) from None

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


def retold(turn: Turn) -> Iterator[Happening]:
    """What happened in a turn that is kept, as it was told when it happened."""
    yield Ready(Recalled(turn.recollections, turn.recall_unavailable), turn.tools)
    said = 0
    for call in turn.tool_calls:
        if call.position > said:
            yield Delta(turn.assistant_text[said : call.position])
            said = call.position
        yield Calling(replace(call, outcome=Outcome.PENDING, result="", wall_seconds=0.0))
        yield Called(call)
    yield Delta(turn.assistant_text[said:])


def _check(question: Question) -> None:
    if not question.text:
        raise InvalidArgument.of_field("text", "must not be empty")
    if len(question.text.encode()) > TEXT_LIMIT_BYTES:
        raise InvalidArgument.of_field("text", f"must be at most {TEXT_LIMIT_BYTES} bytes")
    if not question.soma_id and not question.persona:
        raise InvalidArgument.of_field("persona", "name a persona, or a Soma to go on with")
