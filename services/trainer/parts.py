"""What a pipeline is put together from."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from services.trainer.arbiter import Arbiter
from services.trainer.bases import Catalogue
from services.trainer.dataset_store import DatasetStore
from services.trainer.evaluation import Evaluation
from services.trainer.golden_example import GoldenSource
from services.trainer.model_backend import ModelBackend
from services.trainer.run_directory import RunDirectory
from services.trainer.settings import TrainerSettings
from services.trainer.sqlite_outside import SqliteOutside
from services.trainer.sqlite_runs import SqliteRuns


@dataclass(frozen=True)
class Parts:
    """The ports and stores of one service."""

    runs: SqliteRuns
    datasets: DatasetStore
    source: GoldenSource
    outside: SqliteOutside
    catalogue: Catalogue
    arbiter: Arbiter
    backend: ModelBackend
    evaluation: Evaluation
    settings: TrainerSettings

    def directory(self, run_id: str) -> RunDirectory:
        """Where a run keeps its files."""
        return RunDirectory(self.settings.data_dir / "runs" / run_id)

    @property
    def models(self) -> Path:
        """The folder that holds a folder of files for each model that we made and still use."""
        return self.settings.data_dir / "models"
