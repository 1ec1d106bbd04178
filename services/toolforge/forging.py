"""One forge from its next attempt to its end."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

import structlog

from services.toolforge.drafter import Sampling
from services.toolforge.evidence import Evidence, EvidenceKind
from services.toolforge.examination import evidence_of
from services.toolforge.forge import Attempt, Forge, Kind, Verdict, next_kind
from services.toolforge.forge_store import ForgeStore
from services.toolforge.personas import Persona
from services.toolforge.prompt import (
    Message,
    Offer,
    draft_messages,
    propose_messages,
    repair_messages,
)
from services.toolforge.proposal import agreed, read_tests, schema_of_tests
from services.toolforge.sampling import Sampler, Tried
from services.toolforge.signature import signature_of
from services.toolforge.spec import Spec
from services.toolforge.tool import Lineage, make_tool
from services.toolforge.tool_search import ToolSearch
from shared.errors import BatosError

MAX_BEGINNINGS = 3  # a forge that takes the process down with it must not do so for ever

_log = structlog.get_logger()


@dataclass(frozen=True)
class Forging:
    """Makes attempts until one passes, they are used up, or it cannot go on; `seconds` in all."""

    store: ForgeStore
    sampler: Sampler
    search: ToolSearch
    seconds: float

    async def run(self, forge_id: str) -> None:
        """Begins or resumes a forge and brings it to its end, which is always a typed one."""
        try:
            async with asyncio.timeout(self.seconds):
                await self._run(forge_id)
        except TimeoutError:
            text = f"the forge took longer than {self.seconds:g} s"
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
            forge = await self._with_tests(await self.store.get(forge_id))
            await self._make_attempts(forge, await self._offers(forge))

    async def _make_attempts(self, forge: Forge, offers: Sequence[Offer]) -> None:
        attempts = list(forge.attempts)
        while len(attempts) < forge.attempt_limit:
            persona = await self.sampler.asking.serving(forge.persona)
            await self.store.note_model(forge.id, persona.model)
            kind = next_kind(attempts)
            prompt = _Prompt(kind, forge.spec, attempts, offers)
            attempt, best = await self.sampler.attempt(forge, len(attempts) + 1, kind, prompt)
            if attempt.verdict is Verdict.PASSED:
                await self._succeed(forge, persona, attempt, best)
                return
            await self.store.add_attempt(forge.id, attempt)
            attempts.append(attempt)
        text = f"none of {len(attempts)} attempts met every example; the last finding was: "
        await self.store.fail(forge.id, text + attempts[-1].finding, "ATTEMPTS_USED_UP")

    async def _succeed(self, forge: Forge, persona: Persona, attempt: Attempt, best: Tried) -> None:
        trial = best.examined.trial
        assert trial is not None, "what passed was tried"
        lineage = Lineage(forge.id, persona.model, persona.generation, attempt.number)
        tool = make_tool(forge.spec, attempt.source, trial.sandbox_id, lineage)
        evidence = [evidence_of(trial, forge.spec)]
        if best.proposed:
            evidence.append(_proposed_evidence(best, trial.sandbox_id))
        await self.store.succeed(forge.id, attempt, tool, evidence, best.proposed)

    async def _with_tests(self, forge: Forge) -> Forge:
        """The forge with the tests that its model proposes, which is asked once."""
        if forge.proposed is not None or not forge.proposed_limit:
            return forge
        answer = await self.sampler.asking.ask(
            forge.persona,
            lambda p: propose_messages(p.system_prompt, forge.spec, forge.proposed_limit),
            Sampling(temperature=0.0, seed=0),
            schema_of_tests(forge.spec, forge.proposed_limit),
        )
        tests = read_tests(answer, forge.spec, forge.proposed_limit)
        await self.store.note_proposed(forge.id, tests)
        return replace(forge, proposed=tests)

    async def _offers(self, forge: Forge) -> Sequence[Offer]:
        if not forge.offered_limit:
            return ()
        # One more, in case that the tool of this name, which must not call itself, is among them.
        hits = await self.search.search(forge.spec.description, forge.offered_limit + 1)
        offers = [
            Offer(tool.name, signature_of(tool.spec), tool.spec.description)
            for tool, _ in hits
            if tool.name != forge.spec.name
        ]
        return offers[: forge.offered_limit]


@dataclass(frozen=True)
class _Prompt:
    """The messages of one attempt, by the persona that they are for."""

    kind: Kind
    spec: Spec
    earlier: Sequence[Attempt]
    offers: Sequence[Offer]

    def __call__(self, persona: Persona) -> tuple[Message, ...]:
        system = persona.system_prompt
        if self.kind is not Kind.REPAIR:
            return draft_messages(system, self.spec, self.offers)
        failed = self.earlier[-1]
        code = failed.source.rstrip("\n")
        return repair_messages(system, self.spec, code, failed.finding, self.offers)


def _proposed_evidence(best: Tried, sandbox_id: str) -> Evidence:
    first = next((test.disagreement for test in best.proposed if test.disagreement), "")
    return Evidence(
        EvidenceKind.PROPOSED,
        sandbox_id,
        time.time(),
        agreed(best.proposed),
        len(best.proposed),
        first,
    )
