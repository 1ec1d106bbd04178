"""Asks a persona's model, with patience for what passes by itself."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import structlog

from services.toolforge.drafter import Drafter, Sampling
from services.toolforge.personas import Persona, Personas
from services.toolforge.prompt import Message
from shared.errors import Unavailable

_SERVING_POLL_SECONDS = 0.5
_PASSING = frozenset({"MODEL_UNAVAILABLE", "MODEL_FAILED", "MODEL_ANSWER_CUT_OFF"})

_log = structlog.get_logger()


@dataclass(frozen=True)
class Patience:
    """How often to ask again, the pause before that (doubled each time), and how long to wait
    for a model while the GPU is lent out; seconds."""

    retries: int
    pause: float
    serving: float


@dataclass(frozen=True)
class Asking:
    """Turns a persona's name and a prompt into answers of its model."""

    personas: Personas
    drafter: Drafter
    patience: Patience

    async def serving(self, name: str) -> Persona:
        """The persona once its model may be used; waits while the GPU is lent out.

        Raises Unavailable (MODEL_NOT_SERVING) where that takes too long.
        """
        give_up = time.monotonic() + self.patience.serving
        while not (persona := await self.personas.get(name)).serving:
            if time.monotonic() > give_up:
                raise Unavailable(
                    f"the model of {persona.name} is away while the GPU is lent out",
                    reason="MODEL_NOT_SERVING",
                )
            await asyncio.sleep(_SERVING_POLL_SECONDS)
        return persona

    async def ask(
        self,
        name: str,
        messages_for: Callable[[Persona], Sequence[Message]],
        sampling: Sampling,
        schema: Mapping[str, Any] | None = None,
    ) -> str:
        """One answer; a backend that is away or breaks off is asked again, as is each time the
        Supervisor, which may have moved the persona to another model since.

        Raises what the ports `Drafter` and `Personas` raise, once the retries are used up.
        """

        async def once() -> str:
            persona = await self.serving(name)
            drawn = replace(sampling, options=persona.options)
            messages = messages_for(persona)
            return await self.drafter.answer(persona.model, messages, drawn, schema)

        return await self._again(once)

    async def _again(self, once: Callable[[], Awaitable[str]]) -> str:
        for retry in range(self.patience.retries):
            try:
                return await once()
            except Unavailable as error:
                if error.reason not in _PASSING:
                    raise
                _log.info("asking the model again", reason=error.reason, error=error.message)
            await asyncio.sleep(self.patience.pause * 2**retry)
        return await once()
