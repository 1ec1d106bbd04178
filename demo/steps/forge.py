"""Step 3: tools are forged from specs, one of them by repair, and run on real arguments."""

import json

from batos.toolforge.v1 import toolforge_pb2 as pb

from demo import known_specs, repair_specs
from demo.claim import Evidence
from demo.forging import forge, invoke, repaired
from demo.spec import DemoSpec
from demo.stage import Stage
from demo.steps.lack import TOOLSMITH
from demo.talk import ask

_KNOWN = 3
_KNOWN_CANDIDATES = 6
_REPAIR_CANDIDATES = 8


async def run(stage: Stage, evidence: Evidence) -> None:
    """Forges known specs, finds one that needs a repair, and runs every tool."""
    stage.story.chapter(
        3, "Forge", "A model writes tools from specs; the sandbox tries them; errors go back to it."
    )
    tools = await _forge_known(stage, evidence)
    tools.append(await _forge_by_repair(stage, evidence))
    await _run_tools(stage, evidence, [(s, f) for s, f in tools if f.tool])
    first, forged = next((each for each in tools if each[1].tool), tools[0])
    found = await stage.toolforge.SearchTools(
        pb.SearchToolsRequest(query=first.description, limit=3)
    )
    names = [hit.tool.name for hit in found.hits]
    evidence.claim("the first tool is found by its meaning", forged.tool in names)
    await _use_in_conversation(stage, evidence, [s for s, f in tools if f.tool])


async def _forge_known(stage: Stage, evidence: Evidence) -> list[tuple[DemoSpec, pb.Forge]]:
    """Forges specs of kinds that the model knows, until there are three tools."""
    tools, failed = [], []
    for number, drawn in enumerate(known_specs.draw(stage.journey.seed, _KNOWN_CANDIDATES)):
        spec = DemoSpec.of(drawn)
        done = await _forge_aloud(stage, spec, f"known/{number}")
        if done.state == pb.FORGE_STATE_SUCCEEDED:
            tools.append((spec, done))
        else:
            failed.append(spec.name)
        if len(tools) == _KNOWN:
            break
    evidence.facts |= {"forged": [spec.name for spec, _ in tools], "not_forged": failed}
    tried = len(tools) + len(failed)
    evidence.claim(f"{len(tools)} of {tried} known specs were forged", len(tools) == _KNOWN)
    return tools


async def _forge_aloud(stage: Stage, spec: DemoSpec, label: str) -> pb.Forge:
    stage.story.say("spec", spec.description, spec.name)
    done = await forge(stage, spec, attempt_limit=4, label=label, tell=True)
    if done.state == pb.FORGE_STATE_SUCCEEDED:
        stage.story.code(done.attempts[-1].source)
    else:
        stage.story.note(done.failure)
    return done


async def _forge_by_repair(stage: Stage, evidence: Evidence) -> tuple[DemoSpec, pb.Forge]:
    """Some specs leave open what only a failing example tells: the first one to be repaired."""
    tried = []
    for number, drawn in enumerate(repair_specs.draw(stage.journey.seed, _REPAIR_CANDIDATES)):
        spec = DemoSpec.of(drawn)
        done = await _forge_aloud(stage, spec, f"repair/{number}")
        tried.append(spec.name)
        if repaired(done):
            break
    evidence.facts["repair_tried"] = tried
    evidence.claim("a first draft failed and its repair passed", repaired(done))
    return spec, done


async def _use_in_conversation(stage: Stage, evidence: Evidence, specs: list[DemoSpec]) -> None:
    """The toolsmith is asked in plain words; which tool to call, and how, is up to its model."""
    used = 0
    for spec in specs:
        arguments, expected = spec.unseen[0]
        given = ", ".join(json.dumps(value, ensure_ascii=False) for value in arguments.values())
        question = f"{spec.description.rstrip('.')}: {given}."
        answer = await ask(stage, TOOLSMITH, question, label=f"use/{spec.name}")
        stage.story.say("you", question)
        for call in answer.turn.tool_calls:
            stage.story.note(f"called {call.tool} {call.arguments_json} → {call.result}")
        stage.story.say(TOOLSMITH, answer.turn.assistant_text)
        results = [call.result for call in answer.turn.tool_calls]
        used += any(json.loads(r) == expected for r in results if _is_json(r))
    evidence.facts["used_in_conversation"] = used
    evidence.claim("the toolsmith used a tool of its own in a conversation", used > 0)


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except ValueError:
        return False
    return True


async def _run_tools(
    stage: Stage, evidence: Evidence, tools: list[tuple[DemoSpec, pb.Forge]]
) -> None:
    rows = []
    for spec, done in tools:
        arguments, expected = spec.unseen[0]
        value = await invoke(stage, done.tool, arguments, spec.name)
        evidence.claim(f"{spec.name} is right on arguments it never saw", value == expected)
        rows.append((done.tool, dict(arguments), value, "✓" if value == expected else expected))
    stage.story.table("run on real arguments", ("tool", "arguments", "value", "right"), rows)
