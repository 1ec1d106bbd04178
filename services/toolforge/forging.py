"""One forge from its next attempt to its end."""

import asyncio
import time
from dataclasses import dataclass

import structlog

from services.toolforge.draft import take_code
from services.toolforge.drafter import Drafter
from services.toolforge.examination import examine
from services.toolforge.fitting import fit
from services.toolforge.forge import Attempt, Forge, Kind, Verdict, next_kind, temperature_of
from services.toolforge.forge_store import ForgeStore
from services.toolforge.personas import Persona, Personas
from services.toolforge.prompt import Message, draft_messages, repair_messages
from services.toolforge.sandbox import Sandbox
from services.toolforge.spec import Spec
from services.toolforge.tool import Origin, make_tool
from services.toolforge.trial import Trial
from shared.errors import BatosError, Unavailable

MAX_BEGINNINGS = 3  # a forge that takes the process down with it must not do so for ever
_SERVING_POLL_SECONDS = 0.5

_log = structlog.get_logger()


@dataclass(frozen=True)
class Patience:
    """How long things may take, in seconds."""

    forge: float
    trial: float
    serving: float


@dataclass(frozen=True)
class Forging:
    """Makes attempts until one passes, they are used up, or it cannot go on."""

    store: ForgeStore
    personas: Personas
    drafter: Drafter
    sandbox: Sandbox
    patience: Patience

    async def run(self, forge_id: str) -> None:
        """Begins or resumes a forge and brings it to its end, which is always a typed one."""
        try:
            async with asyncio.timeout(self.patience.forge):
                await self._run(forge_id)
        except TimeoutError:
            text = f"the forge took longer than {self.patience.forge:g} s"
            await self.store.fail(forge_id, text, "FORGE_TIMED_OUT")
        except BatosError as error:
            await self.store.fail(forge_id, error.message, error.reason)
        except Exception as error:  # whatever it is, nobody must be left waiting
            _log.exception("forge broke off", forge=forge_id)
            await self.store.fail(forge_id, f"the forge broke off: {error!r}", "INTERNAL")

    async def _run(self, forge_id: str) -> None:
        beginnings = await self.store.begin(forge_id)
        if beginnings > MAX_BEGINNINGS:
            text = f"the service ended {MAX_BEGINNINGS} times while this forge ran"
            await self.store.fail(forge_id, text, "FORGE_INTERRUPTED")
        elif beginnings:
            await self._make_attempts(await self.store.get(forge_id))

    async def _make_attempts(self, forge: Forge) -> None:
        attempts = list(forge.attempts)
        while len(attempts) < forge.attempt_limit:
            attempt, trial = await self._attempt(forge, attempts)
            if trial and attempt.verdict is Verdict.PASSED:
                tool = make_tool(forge.spec, attempt.source, Origin.FORGED, trial.sandbox_id)
                await self.store.succeed(forge.id, attempt, tool)
                return
            await self.store.add_attempt(forge.id, attempt)
            attempts.append(attempt)
        text = f"none of {len(attempts)} attempts met every example; the last finding was: "
        await self.store.fail(forge.id, text + attempts[-1].finding, "ATTEMPTS_USED_UP")

    async def _attempt(self, forge: Forge, earlier: list[Attempt]) -> tuple[Attempt, Trial | None]:
        kind, number = next_kind(earlier), len(earlier) + 1
        persona = await self._serving(forge.persona)
        await self.store.note_model(forge.id, persona.model)
        messages = _messages(kind, persona.system_prompt, forge.spec, earlier)
        started = time.monotonic()
        answer = await self.drafter.answer(persona.model, messages, temperature_of(kind), number)
        drafted = time.monotonic()
        source = await asyncio.to_thread(_source, answer, forge.spec)
        finding, trial = await examine(self.sandbox, forge.spec, source, self.patience.trial)
        attempt = Attempt(
            number=number,
            kind=kind,
            verdict=_verdict(finding, trial),
            source=source,
            finding=finding,
            passed_count=trial.passed_count if trial else 0,
            model_seconds=drafted - started,
            trial_seconds=time.monotonic() - drafted,
        )
        return attempt, trial

    async def _serving(self, name: str) -> Persona:
        """The persona once its model may be used; waits while the GPU is lent out."""
        give_up = time.monotonic() + self.patience.serving
        while not (persona := await self.personas.get(name)).serving:
            if time.monotonic() > give_up:
                raise Unavailable(
                    f"the model of {persona.name} is away while the GPU is lent out",
                    reason="MODEL_NOT_SERVING",
                )
            await asyncio.sleep(_SERVING_POLL_SECONDS)
        return persona


def _source(answer: str, spec: Spec) -> str:
    return fit(take_code(answer, spec.name), spec)


def _verdict(finding: str, trial: Trial | None) -> Verdict:
    if trial is None:
        return Verdict.CHECK_FAILED
    return Verdict.TRIAL_FAILED if finding else Verdict.PASSED


def _messages(kind: Kind, system: str, spec: Spec, earlier: list[Attempt]) -> tuple[Message, ...]:
    if kind is not Kind.REPAIR:
        return draft_messages(system, spec)
    failed = earlier[-1]
    return repair_messages(system, spec, failed.source.rstrip("\n"), failed.finding)
