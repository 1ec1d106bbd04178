"""What runs and datasets may take of the disk."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path

import structlog

from services.trainer.sqlite_runs import SqliteRuns
from shared.errors import ResourceExhausted

_log = structlog.get_logger()


class DiskQuota:
    """Makes room before a run begins: the files of ended runs go first, oldest first, then
    datasets of ended runs that no open run is to learn from."""

    def __init__(self, data_dir: Path, most_bytes: int, runs: SqliteRuns) -> None:
        self._runs_dir, self._datasets_dir = data_dir / "runs", data_dir / "datasets"
        self._most_bytes = most_bytes
        self._runs = runs

    async def make_room(self, dataset: str) -> None:
        """Removes what may go until the quota is kept; `dataset` ("datasets/x" or "") must stay.

        Raises ResourceExhausted (DISK_QUOTA) where that is not enough.
        """
        for path in await self._dispensable(dataset):
            if await asyncio.to_thread(self._used) <= self._most_bytes:
                return
            _log.info("removed to keep the disk quota", path=str(path))
            await asyncio.to_thread(shutil.rmtree, path, True)
        used = await asyncio.to_thread(self._used)
        if used > self._most_bytes:
            raise ResourceExhausted(
                f"runs and datasets take {used} bytes, and {self._most_bytes} are allowed; raise "
                "BATOS_TRAINER_DISK_QUOTA_BYTES or move datasets away",
                reason="DISK_QUOTA",
            )

    async def _dispensable(self, dataset: str) -> list[Path]:
        ended = await self._runs.all(ended=True)
        open_runs = await self._runs.all(ended=False)
        kept = {dataset, *(run.dataset for run in open_runs)}
        runs = [self._runs_dir / run.id for run in ended]
        datasets = [run.dataset for run in ended if run.dataset and run.dataset not in kept]
        names = [name.removeprefix("datasets/") for name in dict.fromkeys(datasets)]
        return [path for path in (*runs, *(self._datasets_dir / n for n in names)) if path.is_dir()]

    def _used(self) -> int:
        found = (path for root in (self._runs_dir, self._datasets_dir) for path in root.rglob("*"))
        return sum(path.stat().st_size for path in found if path.is_file())
