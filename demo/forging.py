"""Forges and tools as the demo's steps use them."""

import json
from collections.abc import Mapping
from typing import Any

from batos.toolforge.v1 import toolforge_pb2 as pb

from demo.spec import DemoSpec
from demo.stage import Stage

_KINDS = {
    pb.ATTEMPT_KIND_DRAFT: "draft",
    pb.ATTEMPT_KIND_REPAIR: "repair",
    pb.ATTEMPT_KIND_RESAMPLE: "resample",
}


async def forge(
    stage: Stage, spec: DemoSpec, *, attempt_limit: int, label: str, tell: bool = False
) -> pb.Forge:
    """Forges a tool and waits for the end; with `tell`, attempt by attempt on the terminal."""
    started = await stage.toolforge.StartForge(
        pb.StartForgeRequest(
            request_id=stage.journey.request_id(f"forge/{label}"),
            spec=spec.to_proto(),
            attempt_limit=attempt_limit,
            new_version=True,  # what is measured is what the model can do now
        )
    )
    name = started.forge.name
    async for response in stage.toolforge.WatchForge(pb.WatchForgeRequest(name=name)):
        if tell and response.event.HasField("attempt"):
            tell_attempt(stage, response.event.attempt)
    return (await stage.toolforge.GetForge(pb.GetForgeRequest(name=name))).forge


def tell_attempt(stage: Stage, attempt: pb.Attempt) -> None:
    """One attempt: how it came about, what came of it, how long the model and the trial took."""
    passed = attempt.verdict == pb.VERDICT_PASSED
    outcome = "passed" if passed else attempt.finding
    model, trial = (
        t.ToTimedelta().total_seconds() * 1000 for t in (attempt.model_time, attempt.trial_time)
    )
    stage.story.verdict(
        f"attempt {attempt.number} ({_KINDS.get(attempt.kind, '?')}): {outcome}  "
        f"[model {model:.0f} ms, checks and trial {trial:.0f} ms]",
        passed,
    )


def repaired(forge: pb.Forge) -> bool:
    """True where the first draft failed and an attempt whose prompt held the error passed."""
    return (
        forge.state == pb.FORGE_STATE_SUCCEEDED
        and forge.attempts[0].verdict != pb.VERDICT_PASSED
        and forge.attempts[-1].kind == pb.ATTEMPT_KIND_REPAIR
    )


async def invoke(stage: Stage, tool: str, arguments: Mapping[str, Any], label: str) -> Any:
    """Runs a tool; its value, or a sentence where it gave none."""
    response = await stage.toolforge.InvokeTool(
        pb.InvokeToolRequest(
            request_id=stage.journey.request_id(f"invoke/{label}"),
            name=tool,
            arguments_json=json.dumps(dict(arguments)),
        )
    )
    if response.outcome != pb.INVOCATION_OUTCOME_OK:
        return f"{pb.InvocationOutcome.Name(response.outcome)}: {response.error}"
    return json.loads(response.value_json)
