"""Learning by itself: a training run once there is enough to learn from and nobody is disturbed.

Off unless the owner says how many new golden examples are enough. Every decision is journalled with
its reason; one that was put off, once for each reason.
"""

import asyncio
import os
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Protocol

import structlog

from services.supervisor.gpu_lease import ServingState
from shared.errors import BatosError

_GLANCE_SECONDS = 15.0
_DAY = timedelta(days=1)

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Policy:
    """When to learn: `examples` new golden ones, at most `runs_per_day`, once no turn was asked for
    `idle` and the machine's load is at most `busy` of each CPU.
    """

    examples: int
    runs_per_day: int
    idle: timedelta
    busy: float


@dataclass(frozen=True, slots=True)
class Lesson:
    """A persona's golden examples: how many there are, and how many there were at its last run."""

    persona: str
    golden: int
    learnt: int

    @property
    def new(self) -> int:
        """How many it has not learnt from yet."""
        return self.golden - self.learnt


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What is going on: the last turn's time, runs since a day ago, who has the GPU, the load."""

    now: datetime
    last_turn: datetime | None
    runs_today: int
    serving: ServingState
    load: float


class Records(Protocol):
    """What is kept of lessons."""

    async def lessons(self) -> Sequence[Lesson]:
        """Of all personas that have golden examples."""

    async def runs_since(self, moment: datetime) -> int:
        """How many runs were begun by themselves since then."""

    async def last_turn(self) -> datetime | None:
        """When a turn was asked last."""

    async def begun(self, lesson: Lesson, message: str) -> None:
        """Keeps that a run was begun, and its event."""

    async def put_off(self, persona: str, message: str) -> None:
        """Keeps the event of a decision against a run."""


class Trainer(Protocol):
    """Begins training runs."""

    async def start(self, request_id: str, persona: str) -> str:
        """The run's name; the same request begins one run."""


def reason_against(policy: Policy, around: Surroundings) -> str:
    """Why no run should begin now; "" where one may."""
    if around.serving is not ServingState.SERVING:
        return "a training run has the GPU"
    if around.runs_today >= policy.runs_per_day:
        return f"the day's {policy.runs_per_day} runs are used up"
    # A clock that was set back makes a turn of the future: nobody is idle then.
    if around.last_turn is not None and around.now - around.last_turn < policy.idle:
        return "somebody is talking"
    if around.load > policy.busy:
        return "the machine is busy"
    return ""


class Autolearn:
    """Looks now and then whether somebody should learn; `run` is its task."""

    def __init__(
        self, policy: Policy, records: Records, trainer: Trainer, serving: "Serving"
    ) -> None:
        self._policy = policy
        self._records = records
        self._trainer = trainer
        self._serving = serving
        self._told: dict[str, str] = {}

    async def run(self) -> None:
        """Works until cancelled; what fails is tried again at the next look."""
        while True:
            await asyncio.sleep(min(_GLANCE_SECONDS, self._policy.idle.total_seconds() + 0.1))
            try:
                await self.look(datetime.now(UTC))
            except BatosError as error:
                _log.warning("nothing can be learnt now", error=error.message)

    async def look(self, now: datetime) -> None:
        """Begins at most one run: the next one would only wait for it."""
        for lesson in await self._records.lessons():
            if lesson.new < self._policy.examples:
                continue
            around = Surroundings(
                now=now,
                last_turn=await self._records.last_turn(),
                runs_today=await self._records.runs_since(now - _DAY),
                serving=self._serving.state,
                load=os.getloadavg()[0] / (os.cpu_count() or 1),
            )
            if why := reason_against(self._policy, around):
                await self._put_off(lesson, why)
            elif await self._begun(lesson):
                return

    async def _begun(self, lesson: Lesson) -> bool:
        # After a crash between the two writes the same request finds the run that it began.
        words = f"batos/autolearn/{lesson.persona}/{lesson.golden}/{lesson.learnt}"
        try:
            run = await self._trainer.start(
                str(uuid.uuid5(uuid.NAMESPACE_URL, words)), lesson.persona
            )
        except BatosError as error:
            await self._put_off(lesson, f"the Trainer refused: {error.message}")
            return False
        message = f"{run} was begun: {lesson.persona} has {lesson.new} new golden examples."
        await self._records.begun(lesson, message)
        self._told.pop(lesson.persona, None)
        return True

    async def _put_off(self, lesson: Lesson, why: str) -> None:
        if self._told.get(lesson.persona) == why:
            return
        self._told[lesson.persona] = why
        message = f"{lesson.persona} has {lesson.new} new golden examples, but {why}."
        await self._records.put_off(lesson.persona, message)


class Serving(Protocol):
    """Knows who has the GPU."""

    @property
    def state(self) -> ServingState:
        """Who has it now."""
