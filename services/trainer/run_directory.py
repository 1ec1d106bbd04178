"""What a run keeps on disk while it goes on."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path


class RunDirectory:
    """`checkpoints/`, `merged/`, `parity.json` and `worker.log` of one run."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @property
    def merged(self) -> Path:
        """The merged model; there only once it is whole."""
        return self.path / "merged"

    @property
    def parity(self) -> Path:
        """How training renders the probe chat."""
        return self.path / "parity.json"

    @property
    def log(self) -> Path:
        """What the worker printed."""
        return self.path / "worker.log"

    async def make(self) -> None:
        """Makes the directory."""
        await asyncio.to_thread(self.path.mkdir, parents=True, exist_ok=True)

    async def drop_checkpoints(self) -> None:
        """Removes what only an unfinished training needs."""
        await asyncio.to_thread(shutil.rmtree, self.path / "checkpoints", True)

    async def keep_model(self, place: Path) -> None:
        """Moves the merged model to where it outlives the run; not there any more is all right."""

        def move() -> None:
            place.parent.mkdir(parents=True, exist_ok=True)
            if self.merged.is_dir() and not place.exists():
                self.merged.rename(place)

        await asyncio.to_thread(move)

    async def drop_models(self) -> None:
        """Removes everything large; the worker's log stays."""
        await self.drop_checkpoints()
        for name in ("merged", "merged.partial"):
            await asyncio.to_thread(shutil.rmtree, self.path / name, True)
