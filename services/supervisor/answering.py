"""How a turn is answered: recall, tools, prompt, and the persona's speech."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from services.supervisor import metrics, prompt, tool_text
from services.supervisor.model import ModelBackend
from services.supervisor.persona import Persona
from services.supervisor.recall import Recall, Recalled
from services.supervisor.soma import Soma, Turn
from services.supervisor.speech import Request, Saying, Speech, Spoken
from services.supervisor.token_rate import TokenRates
from services.supervisor.toolbox import Found, Toolbox
from services.supervisor.tools import Offer
from shared.errors import FailedPrecondition

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
class Asked:
    """A question whose turn it is; `started` is monotonic."""

    question: Question
    soma: Soma
    started: float
    at: datetime
    on_cpu: bool

    def elapsed(self) -> float:
        """Seconds since it was asked."""
        return time.monotonic() - self.started


@dataclass(frozen=True, slots=True)
class Ready:
    """What a turn begins with: what was recalled, and the tools that it may call."""

    recalled: Recalled
    tools: tuple[Offer, ...]


class Personas(Protocol):
    """Where personas are kept."""

    async def get(self, name: str) -> Persona:
        """One persona; NotFound."""

    async def note_digest(self, persona: Persona, digest: str) -> Persona:
        """Keeps the digest of a pointer that had none."""


@dataclass(frozen=True, slots=True)
class _Prepared:
    """Who speaks, with which system message and tools."""

    persona: Persona
    system: str
    found: Found
    native: bool


class Answering:
    """Answers questions; `window_tokens` bounds system text, earlier turns and question."""

    def __init__(
        self,
        *,
        personas: Personas,
        recall: Recall,
        toolbox: Toolbox,
        model: ModelBackend,
        speech: Speech,
        window_tokens: int,
    ) -> None:
        self._personas = personas
        self._recall = recall
        self._toolbox = toolbox
        self._model = model
        self._speech = speech
        self._window_tokens = window_tokens
        self._rates = TokenRates()

    async def answer(self, asked: Asked, tell: Callable[[Ready | Saying], None]) -> Turn:
        """The turn, not numbered and not kept yet. What happens is told as it happens."""
        persona = await self._speaking(asked.soma.persona)
        recalled, found = await asyncio.gather(
            self._recall.recall(persona.name, asked.question.text, asked.soma.name),
            self._toolbox.suiting(persona, asked.question.text),
        )
        metrics.recalled.inc(len(recalled.recollections))
        metrics.recall_failures.inc(bool(recalled.unavailable))
        tell(Ready(recalled, found.offers))
        prepared = await self._prepared(persona, recalled, found)
        spoken = await self._spoken(asked, prepared, tell)
        _measure(asked, persona, spoken)
        return Turn(
            number=0,
            user_text=asked.question.text,
            assistant_text=spoken.text,
            system_text=prepared.system,
            recollections=recalled.recollections,
            model=persona.model,
            created_at=asked.at,
            first_token_seconds=max(0.0, spoken.first_at - asked.started),
            wall_seconds=asked.elapsed(),
            recall_unavailable=recalled.unavailable,
            tools=found.offers,
            tool_calls=tuple(spoken.calls),
            tools_unavailable=found.unavailable,
            prompt_tokens=spoken.prompt_tokens,
            answer_tokens=spoken.answer_tokens,
        )

    async def _prepared(self, persona: Persona, recalled: Recalled, found: Found) -> _Prepared:
        native = bool(found.offers) and await self._model.speaks_tools(persona.model)
        told = "" if native or not found.offers else tool_text.instructions(found.offers)
        system = prompt.system_text(persona.system_prompt, recalled.recollections, told)
        return _Prepared(persona, system, found, native)

    async def _spoken(
        self, asked: Asked, prepared: _Prepared, tell: Callable[[Saying], None]
    ) -> Spoken:
        persona, offers = prepared.persona, prepared.found.offers
        listed = sum(map(tool_text.length, offers)) if prepared.native else 0
        window = self._rates.characters(persona.model.tag, self._window_tokens) - listed
        chat = prompt.messages(prepared.system, asked.soma.turns, asked.question.text, window)
        request = Request(
            request_id=asked.question.request_id,
            pointer=persona.model,
            chat=chat,
            options={**persona.options, **(_OFF_THE_GPU if asked.on_cpu else {})},
            offers=offers,
            native=prepared.native,
        )
        spoken = await self._speech.speak(request, tell)
        if not spoken.calls:
            read = listed + sum(len(message.content) for message in chat)
            self._rates.learn(persona.model.tag, read, spoken.prompt_tokens)
        return spoken

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


def _measure(asked: Asked, persona: Persona, spoken: Spoken) -> None:
    metrics.tokens.labels(persona.name, "prompt").inc(spoken.prompt_tokens)
    metrics.tokens.labels(persona.name, "answer").inc(spoken.answer_tokens)
    if spoken.first_at:
        metrics.first_token_seconds.observe(max(0.0, spoken.first_at - asked.started))
    for call in spoken.calls:
        metrics.tool_calls.labels(call.outcome.name.lower()).inc()
