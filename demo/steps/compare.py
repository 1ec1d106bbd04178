"""Step 7: before and after on specs that nobody showed the model; back and forward again."""

from batos.supervisor.v1 import supervisor_pb2

from demo.claim import Evidence
from demo.spec import DemoSpec
from demo.stage import Stage
from demo.steps.lack import TOOLSMITH, heldout_specs, passes
from demo.steps.learn import persona

_ROLLBACK_SPECS = 4


async def run(stage: Stage, evidence: Evidence) -> None:
    """Forges the held-out specs again; rolls back, where they fail, and forward."""
    stage.story.chapter(
        7, "Compare", "The same held-out specs, before and after; then a rollback, and forward."
    )
    specs = heldout_specs(stage)
    before: dict[str, bool] = stage.journey.memos["before"]
    after = await passes(stage, specs, "after")
    stage.journey.memos["after"] = after
    _tell(stage, specs, before, after)
    lacked = [spec for spec in specs if not before[spec.name]]
    gained = [spec for spec in lacked if after[spec.name]]
    evidence.facts |= {
        "passed_before": sum(before.values()),
        "passed_after": sum(after.values()),
        "gained": len(gained),
    }
    evidence.claim(
        f"{len(gained)} of the {len(lacked)} held-out specs that failed now pass",
        len(gained) >= max(1, len(lacked) // 2),
    )
    await _back_and_forward(stage, evidence, gained[:_ROLLBACK_SPECS])


def _tell(
    stage: Stage, specs: list[DemoSpec], before: dict[str, bool], after: dict[str, bool]
) -> None:
    def mark(passed: bool) -> str:
        return "passes" if passed else "fails"

    rows = [(s.description[:80], mark(before[s.name]), mark(after[s.name])) for s in specs]
    total = ("", f"{sum(before.values())}/{len(specs)}", f"{sum(after.values())}/{len(specs)}")
    stage.story.table("held-out specs, first draft", ("spec", "before", "after"), [*rows, total])


async def _back_and_forward(stage: Stage, evidence: Evidence, specs: list[DemoSpec]) -> None:
    tuned = await persona(stage)
    back = await _roll_back(stage, "back")
    backward = await passes(stage, specs, "rolled back")
    forward = await _roll_back(stage, "forward")
    again = await passes(stage, specs, "forward again")
    stage.story.note(
        f"{tuned.model.tag} → {back.model.tag} → {forward.model.tag}, "
        f"generation {forward.model.generation}"
    )
    evidence.claim("rolled back, the specs fail as before", not any(backward.values()))
    evidence.claim("forward again, they pass", all(again.values()))
    evidence.claim("the pointer is where the swap had put it", forward.model.tag == tuned.model.tag)


async def _roll_back(stage: Stage, label: str) -> supervisor_pb2.Persona:
    request = supervisor_pb2.RollBackPersonaRequest(
        request_id=stage.journey.request_id(f"roll/{label}"), persona=TOOLSMITH
    )
    return (await stage.supervisor.RollBackPersona(request)).persona
