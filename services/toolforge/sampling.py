"""The samples of one attempt: drawn side by side, each examined, the best one chosen."""

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from services.toolforge import metrics
from services.toolforge.asking import Asking
from services.toolforge.draft import take_code
from services.toolforge.drafter import Sampling
from services.toolforge.examination import Examination, Examined
from services.toolforge.fitting import fit
from services.toolforge.forge import (
    Attempt,
    Forge,
    Kind,
    ProposedTest,
    Sample,
    Verdict,
    seed_of,
    temperature_of,
)
from services.toolforge.personas import Persona
from services.toolforge.prompt import Message
from services.toolforge.proposal import agreed, put_to_tests
from services.toolforge.spec import Spec
from shared import tracing
from shared.errors import BatosError


@dataclass(frozen=True)
class Tried:
    """One sample, what its examination showed, and how it fared with the model's own tests."""

    source: str
    examined: Examined
    proposed: tuple[ProposedTest, ...] = ()

    @property
    def sample(self) -> Sample:
        """As it is kept."""
        trial = self.examined.trial
        verdict = Verdict.CHECK_FAILED
        if trial:
            verdict = Verdict.PASSED if self.examined.passed else Verdict.TRIAL_FAILED
        passed_count = trial.passed_count if trial else 0
        return Sample(self.source, verdict, self.examined.finding, passed_count)

    @property
    def merit(self) -> tuple[bool, int, int, bool]:
        """Meets every example; then agrees with most tests; meets most examples; is code."""
        passed_count = self.sample.passed_count
        return self.examined.passed, agreed(self.proposed), passed_count, bool(self.source)


@dataclass(frozen=True)
class Sampler:
    """Makes attempts."""

    asking: Asking
    examination: Examination

    async def attempt(
        self,
        forge: Forge,
        number: int,
        kind: Kind,
        messages_for: Callable[[Persona], Sequence[Message]],
    ) -> tuple[Attempt, Tried]:
        """Draws the samples of an attempt, and tries them; the attempt, and its best sample.

        Where some samples could not be had the others count. Raises BatosError where none could.
        """
        started = time.monotonic()
        with tracing.span("draft", attempt=number):
            answers = await self._answers(forge, number, kind, messages_for)
        drafted = time.monotonic()
        with tracing.span("try", attempt=number):
            tried = await asyncio.gather(*(self._try(forge, answer) for answer in answers))
        best = max(range(len(tried)), key=lambda index: (tried[index].merit, -index))
        chosen = tried[best].sample
        attempt = Attempt(
            number=number,
            kind=kind,
            verdict=chosen.verdict,
            source=chosen.source,
            finding=chosen.finding,
            passed_count=chosen.passed_count,
            model_seconds=drafted - started,
            trial_seconds=time.monotonic() - drafted,
            other_samples=tuple(t.sample for t in (*tried[:best], *tried[best + 1 :])),
        )
        _measure(attempt)
        return attempt, tried[best]

    async def _answers(
        self,
        forge: Forge,
        number: int,
        kind: Kind,
        messages_for: Callable[[Persona], Sequence[Message]],
    ) -> Sequence[str]:
        drawn = await asyncio.gather(
            *(
                self.asking.ask(
                    forge.persona,
                    messages_for,
                    Sampling(temperature_of(kind, sample), seed_of(number, sample)),
                )
                for sample in range(forge.samples)
            ),
            return_exceptions=True,
        )
        answers = [answer for answer in drawn if isinstance(answer, str)]
        errors = [error for error in drawn if isinstance(error, BaseException)]
        unexpected = [error for error in errors if not isinstance(error, BatosError)]
        if unexpected or not answers:
            raise (unexpected or errors)[0]
        return answers

    async def _try(self, forge: Forge, answer: str) -> Tried:
        source = await asyncio.to_thread(_source, answer, forge.spec)
        examined = await self.examination.examine(forge.spec, source)
        if not examined.passed or examined.program is None:
            return Tried(source, examined)
        proposed = await put_to_tests(
            self.examination.sandbox,
            forge.spec,
            examined.program,
            forge.proposed or (),
            self.examination.limits,
        )
        return Tried(source, examined, proposed)


def _measure(attempt: Attempt) -> None:
    metrics.attempts.labels(attempt.verdict.name.lower()).inc()
    metrics.draft_seconds.observe(attempt.model_seconds)
    metrics.trial_seconds.observe(attempt.trial_seconds)


def _source(answer: str, spec: Spec) -> str:
    return fit(take_code(answer, spec.name), spec)
