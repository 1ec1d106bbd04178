"""Step 6: the golden examples become a better model, and the persona gets it."""

from batos.supervisor.v1 import supervisor_pb2
from batos.trainer.v1 import trainer_pb2 as pb

from demo.claim import Evidence, StepFailed
from demo.stage import Stage
from demo.steps.lack import TOOLSMITH

_ENDED = (
    pb.TRAINING_STATE_SUCCEEDED,
    pb.TRAINING_STATE_REJECTED,
    pb.TRAINING_STATE_FAILED,
    pb.TRAINING_STATE_CANCELLED,
)


async def run(stage: Stage, evidence: Evidence) -> None:
    """Builds the dataset, trains under the lease, shows the gate's figures and the swap."""
    stage.story.chapter(
        6, "Learn", "Golden examples → LoRA → a model that must prove itself before it may speak."
    )
    before = await persona(stage)
    done = await _unfinished_run(stage) or await _start(stage, evidence)
    await _watch(stage, done.name)
    done = await _get(stage, done.name)
    _tell_figures(stage, evidence, done)
    if done.state != pb.TRAINING_STATE_SUCCEEDED:
        state = pb.TrainingState.Name(done.state).removeprefix("TRAINING_STATE_")
        raise StepFailed(f"the training run ended {state}: {done.failure}")
    after = await persona(stage)
    moved = f"{before.model.tag} → {after.model.tag}, generation {after.model.generation}"
    stage.story.note(f"{TOOLSMITH}'s pointer: {moved}")
    evidence.claim("the pointer moved to the new model", after.model.tag == done.model)
    evidence.claim("the previous model is kept", after.previous.tag == before.model.tag)
    evidence.claim("template parity holds", done.figures.template_parity)


async def persona(stage: Stage) -> supervisor_pb2.Persona:
    """The toolsmith as it stands."""
    request = supervisor_pb2.GetPersonaRequest(name=TOOLSMITH)
    return (await stage.supervisor.GetPersona(request)).persona


async def _unfinished_run(stage: Stage) -> pb.TrainingRun | None:
    """The run that a demo which was cut off left behind, if it has not failed."""
    runs = await stage.trainer.ListTrainingRuns(pb.ListTrainingRunsRequest(page_size=1))
    for run_ in runs.training_runs:
        if run_.state not in _ENDED or run_.state == pb.TRAINING_STATE_SUCCEEDED:
            stage.story.note(f"{run_.name} was left unfinished and goes on")
            return run_
    return None


async def _start(stage: Stage, evidence: Evidence) -> pb.TrainingRun:
    built = await stage.trainer.BuildDataset(
        pb.BuildDatasetRequest(request_id=stage.journey.request_id("dataset"), persona=TOOLSMITH)
    )
    dataset = built.dataset
    sources = ", ".join(f"{n} {kind}" for kind, n in sorted(dataset.source_counts.items()))
    stage.story.note(
        f"{dataset.name}: {dataset.train_count} to learn from, {dataset.heldout_count} held out "
        f"({sources})"
    )
    evidence.facts |= {"train": dataset.train_count, "heldout": dataset.heldout_count}
    evidence.claim("the correction is among the golden examples", "correction" in sources)
    started = await stage.trainer.StartTrainingRun(
        pb.StartTrainingRunRequest(
            request_id=stage.journey.request_id("train"),
            persona=TOOLSMITH,
            dataset=dataset.name,
        )
    )
    return started.training_run


async def _watch(stage: Stage, name: str) -> None:
    with stage.story.progress() as progress:
        task = progress.add_task("queued", total=None, note="")
        async for response in stage.trainer.WatchTrainingRun(pb.WatchTrainingRunRequest(name=name)):
            event = response.event
            state = pb.TrainingState.Name(event.state).removeprefix("TRAINING_STATE_").lower()
            progress.update(task, description=state.replace("_", " "))
            if event.HasField("progress"):
                p = event.progress
                note = f"loss {p.loss:.3f}, {p.tokens_per_second:,.0f} tokens/s"
                progress.update(task, total=p.max_steps, completed=p.step, note=note)


async def _get(stage: Stage, name: str) -> pb.TrainingRun:
    request = pb.GetTrainingRunRequest(name=name)
    return (await stage.trainer.GetTrainingRun(request)).training_run


def _tell_figures(stage: Stage, evidence: Evidence, done: pb.TrainingRun) -> None:
    f = done.figures
    if not f.heldout_count:
        return
    stage.story.table(
        "the gate: both models through the same API, code judged by the sandbox",
        ("", "examples", "before", "after"),
        (
            ("held out", f.heldout_count, f"{f.heldout_before:.0%}", f"{f.heldout_after:.0%}"),
            (
                "what it knew",
                f.regression_count,
                f"{f.regression_before:.0%}",
                f"{f.regression_after:.0%}",
            ),
        ),
    )
    stage.story.note(f"lower bound of the gain (paired bootstrap): {f.improvement_lower_bound:.2f}")
    evidence.facts |= {
        "heldout_before": f.heldout_before,
        "heldout_after": f.heldout_after,
        "regression_before": f.regression_before,
        "regression_after": f.regression_after,
        "improvement_lower_bound": f.improvement_lower_bound,
    }
