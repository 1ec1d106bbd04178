"""What any code must pass, whoever wrote it: the checks, then the trial."""

import asyncio
import time
from dataclasses import dataclass

from services.toolforge import checks
from services.toolforge.evidence import Evidence, EvidenceKind
from services.toolforge.finding import static
from services.toolforge.sandbox import Limits, Program, Sandbox
from services.toolforge.spec import Spec
from services.toolforge.toolbox import Toolbox
from services.toolforge.trial import Trial, put_to_trial
from shared.errors import FailedPrecondition


@dataclass(frozen=True)
class Examined:
    """The finding ("" where there is none), the trial if it came to one, and what was tried."""

    finding: str
    trial: Trial | None = None
    program: Program | None = None

    @property
    def passed(self) -> bool:
        """Whether nothing was found."""
        return not self.finding


@dataclass(frozen=True)
class Examination:
    """Checks and tries code."""

    sandbox: Sandbox
    toolbox: Toolbox
    limits: Limits

    async def examine(self, spec: Spec, source: str) -> Examined:
        """Checks first: what fails them is not run.

        Raises shared.errors.BatosError where the sandbox could not run anything.
        """
        finding = await asyncio.to_thread(checks.first_finding, source, spec)
        if finding:
            return Examined(finding)
        try:
            assembly = await self.toolbox.assemble(spec.name, source)
        except FailedPrecondition as error:
            return Examined(static(1, error.message))
        trial = await put_to_trial(self.sandbox, spec, assembly.program, self.limits)
        return Examined(trial.finding or "", trial, assembly.program)


def evidence_of(trial: Trial, spec: Spec, kind: EvidenceKind = EvidenceKind.TRIAL) -> Evidence:
    """A trial as evidence, as of now."""
    return Evidence(
        kind=kind,
        sandbox_id=trial.sandbox_id,
        time=time.time(),
        passed_count=trial.passed_count,
        total_count=len(spec.examples),
        finding=trial.finding or "",
    )
