"""Neighbours of the Trainer whose behaviour a test decides."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from services.trainer.arbiter import Lease, PersonaCard, Swap
from services.trainer.model_backend import Answer
from services.trainer.training_job import Message
from shared.errors import BatosError, FailedPrecondition


class ScriptedArbiter:
    """Gives one lease; `refusals` and `renewals` are raised first, one per call."""

    def __init__(self, ttl: float = 1.0) -> None:
        self.ttl = ttl
        self.refusals: list[BatosError] = []
        self.renewals: list[BatosError] = []
        self.renewed = 0
        self.released: list[int] = []
        self.expired = False

    async def persona(self, name: str) -> PersonaCard:
        return PersonaCard(name, f"You are {name}.", "starter", "starter", 0, name == "BRICK")

    async def acquire(
        self, request_id: str, holder: str, ttl: float, expected_seconds: float
    ) -> Lease:
        if self.refusals:
            raise self.refusals.pop(0)
        return Lease(7, self.ttl)

    async def renew(self, token: int, timeout: float) -> Lease:
        if self.expired:
            raise FailedPrecondition("the lease is over", reason="STALE_FENCING_TOKEN")
        if self.renewals:
            raise self.renewals.pop(0)
        self.renewed += 1
        return Lease(token, self.ttl)

    async def release(self, token: int) -> None:
        self.released.append(token)

    async def report_swap(self, request_id: str, swap: Swap) -> PersonaCard:
        raise FailedPrecondition("not better", reason="SWAP_REFUSED")


class ScriptedBackend:
    """Answers from a table of (tag, last user words) and counts how many it is asked at once."""

    def __init__(self, answers: dict[tuple[str, str], str], prompt_tokens: int = 10) -> None:
        self.answers = answers
        self.prompt_tokens = prompt_tokens
        self.calls: dict[tuple[str, str], tuple[tuple[str, str], ...]] = {}
        self.takes_tools = True
        self.at_once = 0
        self.most_at_once = 0

    async def create(
        self, tag: str, directory: Path, template: str | None, base_tag: str | None
    ) -> str:
        raise FailedPrecondition("this backend makes nothing")

    async def digest(self, tag: str) -> str | None:
        return None

    async def delete(self, tag: str) -> None:
        return

    async def chat(
        self,
        tag: str,
        messages: Sequence[Message],
        answer_tokens: int,
        tools: Sequence[dict[str, Any]] = (),
    ) -> Answer:
        if tools and not self.takes_tools:
            raise FailedPrecondition("it does not support tools", reason="MODEL_REFUSED")
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        await asyncio.sleep(0.01)
        self.at_once -= 1
        said = messages[-1]["content"]
        calls = self.calls.get((tag, said), ()) if tools else ()
        return Answer(self.answers.get((tag, said), ""), self.prompt_tokens, calls)
