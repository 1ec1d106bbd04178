"""Gets the models off the GPU, so that a training run finds it empty."""

import asyncio

from services.supervisor.model import ModelBackend
from shared.errors import Unavailable

_POLL_SECONDS = 0.25


class GpuMemory:
    """The GPU as the model backend reports it; on a CPU it is always empty."""

    def __init__(self, model: ModelBackend, seconds: float) -> None:
        self._model = model
        self._seconds = seconds

    async def free(self) -> None:
        """Unloads all models and waits until none holds any of the GPU.

        Unavailable (GPU_NOT_FREED) where that takes too long, or the backend is away.
        """
        try:
            async with asyncio.timeout(self._seconds):
                await self._unload_all()
        except TimeoutError:
            raise Unavailable(
                f"models still hold the GPU after {self._seconds:.0f} s",
                reason="GPU_NOT_FREED",
                retry_after=self._seconds,
            ) from None

    async def _unload_all(self) -> None:
        loaded = await self._model.loaded()
        while True:
            # Asked again each time: somebody else may load a model meanwhile.
            for model in loaded:
                await self._model.unload(model.tag)
            loaded = [m for m in await self._model.loaded() if m.vram_bytes]
            if not loaded:
                return
            await asyncio.sleep(_POLL_SECONDS)
