"""The Trainer's part of a Living Image: its database, the datasets, and the models that it made."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from pathlib import Path

from services.trainer.parts import Parts
from services.trainer.sqlite_runs import SqliteRuns
from services.trainer.training_run import TrainingRun, TrainingState
from shared.errors import FailedPrecondition
from shared.image.part import Model, Part
from shared.sqlite import Database

DATABASE = "trainer.sqlite"
FOLDERS = ("datasets", "models")


def of(parts: Parts, database: Database) -> Part:
    """The part of this Trainer."""
    data_dir = parts.settings.data_dir

    def trees(model_tags: Sequence[str]) -> Iterator[tuple[str, Path]]:
        yield "datasets", data_dir / "datasets"
        for path in sorted(parts.models.glob("*")):
            if any(tag.endswith(f":run-{path.name}") for tag in model_tags):
                yield f"{parts.models.name}/{path.name}", path

    async def prepare(staged: Path) -> Sequence[Model]:
        if await parts.runs.all(ended=False):
            raise FailedPrecondition(
                "a training run is under way; cancel it or wait for its end",
                reason="TRAINING_UNDER_WAY",
            )
        copy = database.copied(staged / DATABASE)
        await copy.open()
        try:
            runs = SqliteRuns(copy)
            await _end_open(runs)
            made = await _named(staged / parts.models.name, runs)
        finally:
            await copy.close()
        return [await _made_anew(parts, run, staged / parts.models.name / run.id) for run in made]

    return Part(
        data_dir, {DATABASE: database}, database.held, folders=FOLDERS, trees=trees, prepare=prepare
    )


async def _end_open(runs: SqliteRuns) -> None:
    """What a run under way had on disk is not in the image."""
    for run in await runs.all(ended=False):
        why = "it was under way when the image was saved"
        await runs.save(run.ended_as(TrainingState.CANCELLED, "IMAGE_LOADED", why), why)


async def _named(models: Path, runs: SqliteRuns) -> list[TrainingRun]:
    names = await asyncio.to_thread(lambda: sorted(path.name for path in models.glob("*")))
    return [await runs.get(name) for name in names]


async def _made_anew(parts: Parts, run: TrainingRun, folder: Path) -> Model:
    """The run's model in the backend: the one that is there, as tags never change, or a new one."""
    digest = await parts.backend.digest(run.model)
    if digest is None:
        base = parts.catalogue.base(run.base)
        digest = await parts.backend.create(run.model, folder, base.template, base.tag)
    return Model(run.model, digest)
