"""The trial: the sandbox says what a function returned, and only here that is compared.

Expected values never enter the sandbox, so that no code can fake its verdict.
"""

from dataclasses import dataclass

from services.toolforge import finding as findings
from services.toolforge.finding import Finding, Raised
from services.toolforge.json_value import NotJsonError, parse, same
from services.toolforge.sandbox import Call, Limits, Outcome, Program, Returned, Run, Sandbox
from services.toolforge.spec import Example, Spec


@dataclass(frozen=True)
class Trial:
    """What a trial showed. `finding` is None where every example was met."""

    passed_count: int
    finding: Finding | None
    sandbox_id: str


async def put_to_trial(sandbox: Sandbox, spec: Spec, program: Program, limits: Limits) -> Trial:
    """Runs all examples of a spec in one fresh sandbox and judges what came back.

    Raises shared.errors.BatosError where the sandbox could not run anything.
    """
    calls = [Call(spec.name, example.arguments_json) for example in spec.examples]
    return judge(spec, await sandbox.run(program, calls, limits))


def judge(spec: Spec, run: Run) -> Trial:
    """The verdict on a run; the finding is about the first example that was not met."""
    results = [*run.results, *[None] * len(spec.examples)]
    found = [
        case_finding(spec, example, result, run)
        for example, result in zip(spec.examples, results, strict=False)
    ]
    passed = found.count(None)
    first = next((finding for finding in found if finding), None)
    if first is None and run.outcome is not Outcome.OK:
        first = findings.stopped(spec.name, spec.examples[-1], _how(run))
        passed = 0
    return Trial(passed, first, run.sandbox_id)


def case_finding(
    spec: Spec, example: Example, result: Returned | Raised | None, run: Run
) -> Finding | None:
    """What is wrong with what a run gave for one example; None where nothing is."""
    name, tolerance = spec.name, spec.tolerance
    if isinstance(result, Raised):
        return findings.raised(name, example, result)
    if result is None:
        if run.error:
            return findings.raised(name, example, run.error)
        return findings.stopped(name, example, _how(run))
    try:
        value = parse(result.value_json)
    except NotJsonError as error:
        return findings.stopped(name, example, f"returned no JSON value: {error}")
    if same(value, example.result, relative=tolerance.relative, absolute=tolerance.absolute):
        return None
    return findings.returned(name, example, value)


def _how(run: Run) -> str:
    if run.outcome in {Outcome.OK, Outcome.FAILED}:
        return "gave no result"
    return run.outcome.value
