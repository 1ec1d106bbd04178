"""The domain's values as messages of the contract."""

from __future__ import annotations

from datetime import timedelta

from batos.trainer.v1 import trainer_pb2 as pb

from services.trainer.dataset_card import DatasetCard
from services.trainer.hyperparameters import Hyperparameters
from services.trainer.progress import Progress
from services.trainer.training_run import Figures, TrainingEvent, TrainingRun, TrainingState

_SHOWN_LINEAGE = 1000
_HYPERPARAMETERS = [field.name for field in pb.Hyperparameters.DESCRIPTOR.fields]
_FIGURES = [field.name for field in pb.Figures.DESCRIPTOR.fields]


def dataset_message(card: DatasetCard) -> pb.Dataset:
    """A dataset's card."""
    message = pb.Dataset(
        name=card.name,
        sha256=card.sha256,
        persona=card.persona,
        train_count=card.train_count,
        heldout_count=card.heldout_count,
        duplicate_count=card.duplicate_count,
        near_duplicate_count=card.near_duplicate_count,
        lengths=card.lengths,
        lineage=card.lineage[:_SHOWN_LINEAGE],
        source_counts=card.source_counts,
    )
    message.created_at.FromMilliseconds(int(card.created_at * 1000))
    return message


def run_message(run: TrainingRun) -> pb.TrainingRun:
    """A training run as it stands."""
    message = pb.TrainingRun(
        name=run.name,
        persona=run.persona,
        dataset=run.dataset,
        state=_state(run.state),
        engine=run.engine,
        hyperparameters=_hyperparameters(run.hyperparameters),
        progress=_progress(run.progress) if run.progress else None,
        figures=_figures(run.figures) if run.figures else None,
        model=run.model,
        model_digest=run.model_digest,
        failure=run.failure,
        failure_reason=run.reason,
        generation=run.generation,
    )
    message.created_at.FromMilliseconds(int(run.created_at * 1000))
    return message


def event_message(event: TrainingEvent) -> pb.TrainingEvent:
    """An event of a run."""
    return pb.TrainingEvent(
        sequence=event.sequence,
        state=_state(event.state),
        progress=_progress(event.progress) if event.progress else None,
        message=event.message,
    )


def given_hyperparameters(message: pb.Hyperparameters) -> dict[str, float]:
    """The fields of the message; 0 means that nothing was given."""
    return {name: getattr(message, name) for name in _HYPERPARAMETERS}


def _state(state: TrainingState) -> pb.TrainingState.ValueType:
    return pb.TrainingState.Value(f"TRAINING_STATE_{state.value}")


def _hyperparameters(parameters: Hyperparameters) -> pb.Hyperparameters:
    return pb.Hyperparameters(**{name: getattr(parameters, name) for name in _HYPERPARAMETERS})


def _figures(figures: Figures) -> pb.Figures:
    return pb.Figures(**{name: getattr(figures, name) for name in _FIGURES})


def _progress(progress: Progress) -> pb.TrainingProgress:
    message = pb.TrainingProgress(
        step=progress.step,
        max_steps=progress.max_steps,
        loss=progress.loss,
        learning_rate=progress.learning_rate,
        tokens_per_second=progress.tokens_per_second,
        device_memory_bytes=progress.device_memory_bytes,
    )
    message.eta.FromTimedelta(timedelta(seconds=progress.eta_seconds))
    return message
