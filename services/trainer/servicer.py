"""RPC ⇄ domain, nothing else."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any

import grpc
from batos.trainer.v1 import trainer_pb2 as pb
from batos.trainer.v1 import trainer_pb2_grpc

from services.trainer.engine import check_engine
from services.trainer.golden_dataset import build_dataset
from services.trainer.import_messages import read_rows, read_shape
from services.trainer.messages import (
    dataset_message,
    event_message,
    given_hyperparameters,
    run_message,
)
from services.trainer.parts import Parts
from services.trainer.scheduler import Scheduler
from services.trainer.training_run import TrainingRun
from shared import pages
from shared.errors import FailedPrecondition, InvalidArgument, Violation
from shared.ledger import Ledger, record
from shared.naming import new_id, parse
from shared.sqlite import Database

if TYPE_CHECKING:
    Context = grpc.aio.ServicerContext[Any, Any]


class TrainerServicer(trainer_pb2_grpc.TrainerServiceServicer):
    """The methods of TrainerService."""

    def __init__(self, parts: Parts, scheduler: Scheduler, database: Database) -> None:
        self._parts = parts
        self._scheduler = scheduler
        self._ledger = Ledger(database)

    async def BuildDataset(
        self, request: pb.BuildDatasetRequest, context: Context
    ) -> pb.BuildDatasetResponse:
        """Collects golden examples into a dataset."""
        _require_persona(request.persona)
        async with self._ledger.alone(request):
            first = await self._ledger.replay(request, pb.BuildDatasetResponse)
            if first:
                return first
            examples = await self._parts.source.examples(request.persona)
            dataset = await asyncio.to_thread(build_dataset, request.persona, examples)
            card = await self._parts.datasets.put(dataset)
            answer = pb.BuildDatasetResponse(dataset=dataset_message(card))
            await self._ledger.keep(request, answer)
            return answer

    async def ImportExamples(
        self, request: pb.ImportExamplesRequest, context: Context
    ) -> pb.ImportExamplesResponse:
        """Takes rows from elsewhere."""
        shape = read_shape(request)
        async with self._ledger.alone(request):
            first = await self._ledger.replay(request, pb.ImportExamplesResponse)
            if first:
                return first
            persona = await self._parts.arbiter.persona(request.persona)
            examples, refused = await asyncio.to_thread(read_rows, request.rows, shape)
            answer = pb.ImportExamplesResponse(refused=refused)

            def keep(connection: Any, new: int) -> None:
                answer.imported_count = new
                answer.duplicate_count = len(examples) - new
                record(connection, request, answer)

            await self._parts.outside.add(persona.name, examples, keep)
            return answer

    async def StartTrainingRun(
        self, request: pb.StartTrainingRunRequest, context: Context
    ) -> pb.StartTrainingRunResponse:
        """Accepts a run."""
        _require_persona(request.persona)
        async with self._ledger.alone(request):
            run = await self._first_run(request) or await self._new_run(request)
        return pb.StartTrainingRunResponse(training_run=run_message(run))

    async def GetTrainingRun(
        self, request: pb.GetTrainingRunRequest, context: Context
    ) -> pb.GetTrainingRunResponse:
        """One run."""
        run = await self._parts.runs.get(parse(request.name, "trainingRuns"))
        return pb.GetTrainingRunResponse(training_run=run_message(run))

    async def ListTrainingRuns(
        self, request: pb.ListTrainingRunsRequest, context: Context
    ) -> pb.ListTrainingRunsResponse:
        """Runs, newest first; the page token is the id of the last one seen."""
        size, before = pages.size_of(request.page_size), pages.id_of(request.page_token)
        found = await self._parts.runs.page(size + 1, before)
        runs, more = pages.fitting([run_message(run) for run in found], size)
        token = parse(runs[-1].name, "trainingRuns") if more else ""
        return pb.ListTrainingRunsResponse(training_runs=runs, next_page_token=token)

    async def WatchTrainingRun(
        self, request: pb.WatchTrainingRunRequest, context: Context
    ) -> AsyncIterator[pb.WatchTrainingRunResponse]:
        """Events from a sequence on, until the run has ended."""
        run_id = parse(request.name, "trainingRuns")
        if request.after_sequence < 0:
            raise InvalidArgument.of_field("after_sequence", "must not be negative")
        async for event in self._parts.runs.watch(run_id, request.after_sequence):
            yield pb.WatchTrainingRunResponse(event=event_message(event))

    async def CancelTrainingRun(
        self, request: pb.CancelTrainingRunRequest, context: Context
    ) -> pb.CancelTrainingRunResponse:
        """Ends a run; a repeated request gets the run as it stands, which is its end."""
        run_id = parse(request.name, "trainingRuns")
        # What a run has come to never changes, so its name is answer enough to keep.
        kept = pb.CancelTrainingRunResponse(training_run=pb.TrainingRun(name=request.name))
        async with self._ledger.alone(request):
            run = await self._parts.runs.get(run_id)
            first = await self._ledger.replay(request, pb.CancelTrainingRunResponse)
            if not run.state.ended:  # after a crash this may be so for a repetition as well
                run = await self._scheduler.cancel(run_id, lambda c: record(c, request, kept))
            elif first is None:
                await self._ledger.keep(request, kept)
            return pb.CancelTrainingRunResponse(training_run=run_message(run))

    async def _first_run(self, request: pb.StartTrainingRunRequest) -> TrainingRun | None:
        """The run that this very request began before, as it stands now."""
        first = await self._ledger.replay(request, pb.StartTrainingRunResponse)
        if first is None:
            return None
        return await self._parts.runs.get(parse(first.training_run.name, "trainingRuns"))

    async def _new_run(self, request: pb.StartTrainingRunRequest) -> TrainingRun:
        """Everything that can be refused at once is refused here, before anything is kept."""
        engine = request.engine or self._parts.settings.engine
        check_engine(engine)
        persona = await self._parts.arbiter.persona(request.persona)
        base = self._parts.catalogue.base(persona.base_model)
        await asyncio.to_thread(base.check)
        parameters = base.hyperparameters.replaced_by(
            given_hyperparameters(request.hyperparameters)
        )
        if self._parts.settings.export == "adapter" and not base.tag:
            raise FailedPrecondition(
                f"base {base.name} has no tag in the catalogue to put an adapter onto; give it "
                "one, or set BATOS_TRAINER_EXPORT=merged",
                reason="BASE_WITHOUT_TAG",
            )
        if request.dataset:
            await self._check_dataset(request.dataset, persona.name)
        run = TrainingRun(
            id=new_id(),
            persona=persona.name,
            base=base.name,
            engine=engine,
            hyperparameters=parameters,
            dataset=request.dataset,
        )
        answer = pb.StartTrainingRunResponse(training_run=run_message(run))
        await self._scheduler.submit(run, lambda c: record(c, request, answer))
        return run

    async def _check_dataset(self, name: str, persona: str) -> None:
        card = await self._parts.datasets.card(parse(name, "datasets", "dataset"))
        if card.persona != persona:
            raise FailedPrecondition(
                f"{name} has the examples of {card.persona}, not of {persona}",
                reason="DATASET_OF_ANOTHER_PERSONA",
            )


def _require_persona(persona: str) -> None:
    if not persona or len(persona) > 64:
        fault = Violation("persona", "must be a persona's name")
        raise InvalidArgument("persona: must be a persona's name", [fault])
