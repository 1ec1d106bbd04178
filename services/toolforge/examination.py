"""What any code must pass, whoever wrote it: the checks, then the trial."""

import asyncio

from services.toolforge import checks
from services.toolforge.sandbox import Sandbox
from services.toolforge.spec import Spec
from services.toolforge.trial import Trial, put_to_trial


async def examine(
    sandbox: Sandbox, spec: Spec, source: str, wall_seconds: float
) -> tuple[str, Trial | None]:
    """Checks, then trial: the finding ("" where there is none) and the trial if it came to one.

    Raises shared.errors.BatosError where the sandbox could not run anything.
    """
    finding = await asyncio.to_thread(checks.first_finding, source, spec)
    if finding:
        return finding, None
    trial = await put_to_trial(sandbox, spec, source, wall_seconds)
    return trial.finding or "", trial
