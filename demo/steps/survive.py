"""Step 8: everything is saved as one image, deleted, and put back; the conversation goes on."""

from batos.supervisor.v1 import supervisor_pb2 as pb
from batos.toolforge.v1 import toolforge_pb2

from demo.claim import Evidence
from demo.facts import ToldFact, draw
from demo.stage import Stage
from demo.steps.lack import heldout_specs, passes
from demo.steps.learn import persona
from demo.steps.recall import holds
from demo.steps.remember import PERSONA
from demo.talk import Answer, ask

_AGAIN = 4  # held-out specs that are forged again
_LATER = "My umbrella is called Cassandra."


async def run(stage: Stage, evidence: Evidence) -> None:
    """Saves, deletes every volume where they are ours, loads, and looks whether all is there."""
    stage.story.chapter(
        8, "Survive", "One file holds it all. Everything else is deleted, and the file is loaded."
    )
    fact = draw(stage.journey.seed)[0]
    begun = await ask(stage, PERSONA, fact["question"], label="survive/before")
    tuned, tools = await persona(stage), await _tools(stage)
    image = await _saved(stage)
    await ask(stage, PERSONA, _LATER, label="survive/later")
    if stage.services.begin_anew is not None:
        with stage.story.console.status("deleting everything, starting empty services"):
            await stage.services.begin_anew()
        empty = not await _tools(stage) and not await _somas(stage)
        evidence.claim("everything was deleted", empty)
    loaded = await _loaded(stage, image)
    evidence.claim("nothing is missing", not loaded.missing_models)
    evidence.facts |= {
        "image_bytes": image.size_bytes,
        "freeze_ms": image.freeze.ToNanoseconds() / 1e6,
        "models": [model.tag for model in image.models if model.included],
    }
    await _talks_on(stage, evidence, begun, fact)
    back = await persona(stage)
    evidence.claim("the pointer names the tuned model again", back.model.tag == tuned.model.tag)
    evidence.claim("all tools are back", await _tools(stage) == tools)
    await _still_knows(stage, evidence)


async def _talks_on(stage: Stage, evidence: Evidence, begun: Answer, fact: ToldFact) -> None:
    asked = await ask(stage, PERSONA, fact["question"], soma=begun.soma, label="survive/same")
    fresh = await ask(stage, PERSONA, fact["question"], label="survive/fresh")
    lost = await ask(stage, PERSONA, "What is my umbrella called?", label="survive/lost")
    stage.story.say("you", fact["question"], "in the conversation of before")
    stage.story.say(PERSONA, asked.turn.assistant_text)
    evidence.claim("the conversation goes on", asked.turn.number == begun.turn.number + 1)
    recalled = any(holds(r.text, fact["value"]) for r in fresh.turn.recollections)
    evidence.claim("what was told on the first day is recalled", recalled)
    forgotten = all("umbrella" not in r.text for r in lost.turn.recollections)
    evidence.claim("what was said after the image is not there", forgotten)


async def _still_knows(stage: Stage, evidence: Evidence) -> None:
    """The model was made anew of the image's files: what it learnt must be in it."""
    before: dict[str, bool] = stage.journey.memos["before"]
    after: dict[str, bool] = stage.journey.memos["after"]
    gained = [s for s in heldout_specs(stage) if after[s.name] and not before[s.name]][:_AGAIN]
    again = await passes(stage, gained, "survived")
    evidence.claim(f"{sum(again.values())} of {len(gained)} learnt specs pass", all(again.values()))


async def _saved(stage: Stage) -> pb.Image:
    request = pb.SaveImageRequest(request_id=stage.journey.request_id("save"), note="the demo")
    image = None
    with stage.story.progress() as progress:
        task = progress.add_task("saving", total=None, note="")
        async for event in stage.supervisor.SaveImage(request):
            if event.WhichOneof("event") == "image":
                image = event.image
            else:
                told = event.progress
                progress.update(task, total=told.total_bytes or None, completed=told.done_bytes)
    if image is None:
        raise EOFError("the image's stream ended without its last event")
    rows = [(p.service, f"{p.size_bytes / 1e6:.1f} MB", p.file_count) for p in image.parts]
    stage.story.table(f"{image.name}, {image.size_bytes / 1e6:.1f} MB", ("", "", "files"), rows)
    return image


async def _loaded(stage: Stage, image: pb.Image) -> pb.LoadedImage:
    request = pb.LoadImageRequest(request_id=stage.journey.request_id("load"), name=image.name)
    loaded = None
    with stage.story.console.status("loading"):
        async for event in stage.supervisor.LoadImage(request, wait_for_ready=True):
            if event.WhichOneof("event") == "loaded":
                loaded = event.loaded
        await stage.supervisor.ListPersonas(pb.ListPersonasRequest(), wait_for_ready=True)
    if loaded is None:
        raise EOFError("the load's stream ended without its last event")
    return loaded


async def _tools(stage: Stage) -> dict[str, str]:
    request = toolforge_pb2.ListToolsRequest(page_size=500)
    answer = await stage.toolforge.ListTools(request, wait_for_ready=True)
    return {tool.name: tool.version for tool in answer.tools}


async def _somas(stage: Stage) -> int:
    answer = await stage.supervisor.ListSomas(pb.ListSomasRequest(), wait_for_ready=True)
    return len(answer.somas)
