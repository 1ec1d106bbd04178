"""Step 5: a family of specs that the model lacks; the owner shows how it is done."""

import grpc
from batos.supervisor.v1 import supervisor_pb2
from batos.toolforge.v1 import toolforge_pb2 as pb

from demo.claim import Evidence
from demo.forging import forge
from demo.lacking_family import FARE
from demo.spec import DemoSpec
from demo.stage import Stage
from demo.talk import ask
from shared.rpc_status import from_rpc_error

TOOLSMITH = "BRICK"
HELDOUT = 12
REGISTERED = 48


async def run(stage: Stage, evidence: Evidence) -> None:
    """Measures the held-out specs before training; registers tools; corrects a Soma."""
    stage.story.chapter(
        5, "Lack", "A family of specs that the model never saw. It fails; its owner teaches it."
    )
    heldout = heldout_specs(stage)
    before = await passes(stage, heldout, "before")
    evidence.facts |= {"heldout": len(heldout), "passed_before": sum(before.values())}
    stage.story.note(f"first drafts that pass: {sum(before.values())} of {len(heldout)}")
    stage.journey.memos["before"] = before
    evidence.claim("the model lacks this family", sum(before.values()) <= len(heldout) // 4)
    owned = [DemoSpec.of(drawn) for drawn in FARE.draw(stage.journey.seed, True, REGISTERED)]
    await _refuse_wrong_code(stage, evidence, owned[0], owned[1])
    await _register(stage, owned)
    stage.story.code(owned[0].source)
    await _correct(stage, owned[-1])


def heldout_specs(stage: Stage) -> list[DemoSpec]:
    """Specs that share no phrase template and no function with those that the owner registers."""
    return [DemoSpec.of(drawn) for drawn in FARE.draw(stage.journey.seed, False, HELDOUT)]


async def passes(stage: Stage, specs: list[DemoSpec], label: str) -> dict[str, bool]:
    """Whether the first draft of each spec passes, by name."""
    results = {}
    with stage.story.progress() as progress:
        task = progress.add_task(f"first drafts, {label}", total=len(specs), note="")
        for spec in specs:
            done = await forge(stage, spec, attempt_limit=1, label=f"{label}/{spec.name}")
            results[spec.name] = done.state == pb.FORGE_STATE_SUCCEEDED
            progress.update(task, advance=1, note=f"{sum(results.values())} pass")
    return results


async def _refuse_wrong_code(
    stage: Stage, evidence: Evidence, spec: DemoSpec, other: DemoSpec
) -> None:
    """Even the owner's code is believed only once it has passed: here another spec's examples."""
    wrong = DemoSpec(spec.name, spec.description, other.examples, spec.source)
    try:
        await _register_one(stage, wrong, "wrong")
        refused = ""
    except grpc.aio.AioRpcError as error:
        refused = from_rpc_error(error).reason
    evidence.claim("code that fails its own examples is not registered", bool(refused))
    stage.story.note(f"a registration whose code fails its examples is refused: {refused}")


async def _register(stage: Stage, specs: list[DemoSpec]) -> None:
    with stage.story.progress() as progress:
        task = progress.add_task("the owner registers tools", total=len(specs), note="")
        for spec in specs:
            await _register_one(stage, spec, spec.name)
            progress.update(task, advance=1, note="each tried in the sandbox")


async def _register_one(stage: Stage, spec: DemoSpec, label: str) -> None:
    await stage.toolforge.RegisterTool(
        pb.RegisterToolRequest(
            request_id=stage.journey.request_id(f"register/{label}"),
            spec=spec.to_proto(),
            source=spec.source,
        )
    )


async def _correct(stage: Stage, spec: DemoSpec) -> None:
    """In a conversation the persona gets it wrong, and is told what it should have said."""
    question = f"Write a Python function. {spec.description}"
    stage.story.say("you", question)
    answer = await ask(stage, TOOLSMITH, question, label="correct")
    stage.story.say(TOOLSMITH, answer.turn.assistant_text)
    await stage.supervisor.CorrectSoma(
        supervisor_pb2.CorrectSomaRequest(
            request_id=stage.journey.request_id("correction"),
            soma=answer.soma,
            turn_number=answer.turn.number,
            text=spec.source,
        )
    )
    stage.story.note(f"corrected by its owner: turn {answer.turn.number} of {answer.soma}")
