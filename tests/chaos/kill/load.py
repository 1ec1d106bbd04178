"""Callers who ask until they are answered, while the service is killed at random moments."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from random import Random
from typing import Any

from google.protobuf.message import Message

from tests.chaos.kill.victim import Victim, answered

Call = Callable[[Any], Awaitable[Message]]

KILLS = 4
ATTEMPTS = 600  # 30 s at least


class Load:
    """What was asked and what came of it."""

    def __init__(self) -> None:
        self.answers: list[tuple[Call, Message, Message]] = []
        self.count = 0

    async def ask(self, call: Call, request: Message, *, lasting: bool = True) -> Any:
        """The answer. A `lasting` one must be given to a repetition at the end of all as well."""
        for _ in range(ATTEMPTS):
            answer = await answered(call(request))
            if answer is not None:
                self.answers += [(call, request, answer)] if lasting else []
                self.count += 1
                return answer
            await asyncio.sleep(0.05)
        raise AssertionError("the service did not come back")


async def killed_under_load(
    service: Victim, callers: Sequence[Callable[[Load], Awaitable[None]]], *, total: int, seed: int
) -> None:
    """Runs all callers at once, who ask `total` times, and repeats each request at the end."""
    load = Load()
    async with asyncio.TaskGroup() as tasks:
        for caller in callers:
            tasks.create_task(caller(load))
        tasks.create_task(_killed(service, load, Random(seed), total))
    assert load.count == total
    for call, request, answer in load.answers:
        again = await call(request)
        assert again == answer, (request, answer, again)


async def _killed(service: Victim, load: Load, moment: Random, total: int) -> None:
    for answers in sorted(moment.sample(range(total - 2), KILLS)):
        while load.count < answers:
            await asyncio.sleep(0.005)
        await asyncio.sleep(moment.random() * 0.05)
        await service.kill()
