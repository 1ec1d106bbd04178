"""The client for asyncio."""

from collections.abc import AsyncIterator
from types import TracebackType
from typing import Any

from batos.client import memory_calls, supervisor_calls, toolforge_calls, trainer_calls
from batos.client.channels import Channels
from batos.client.settings import Settings
from batos.client.streams import AsyncStream
from batos.client.toolforge_calls import Examples
from batos.client.transport_async import AsyncTransport, opened
from batos.memory.v1 import memory_pb2
from batos.supervisor.v1 import supervisor_pb2
from batos.toolforge.v1 import toolforge_pb2
from batos.trainer.v1 import trainer_pb2


class AsyncBatos:
    """Batos with the same methods for one event loop.

    What gives a Stream there gives an AsyncStream here, what gives an Iterator an AsyncIterator,
    and the rest is awaited, `forge` too: `async for event in await batos.forge(...)`.
    """

    def __init__(self, settings: Settings | None = None) -> None:
        settings = settings or Settings()
        self._transport = AsyncTransport(settings, Channels(settings, opened), settings.deadline)

    def within(self, seconds: float) -> "AsyncBatos":
        """The same client, its calls given up after so many seconds: batos.within(5).ask(...)."""
        other = AsyncBatos.__new__(AsyncBatos)
        other._transport = self._transport.within(seconds)
        return other

    def chat(
        self, text: str, *, persona: str = "", soma: str = "", request_id: str = ""
    ) -> AsyncStream[supervisor_pb2.ConverseResponse, supervisor_pb2.Finished]:
        """See Batos.chat."""
        return self._transport.work(supervisor_calls.chat(text, persona, soma, request_id))

    async def ask(
        self, text: str, *, persona: str = "", soma: str = "", request_id: str = ""
    ) -> supervisor_pb2.Finished:
        """See Batos.ask."""
        return await self._transport.finish(supervisor_calls.chat(text, persona, soma, request_id))

    async def rate(self, soma: str, turn: int, *, good: bool) -> supervisor_pb2.Turn:
        """See Batos.rate."""
        return await self._transport.call(supervisor_calls.rate(soma, turn, good=good))

    async def correct(self, soma: str, turn: int, text: str) -> supervisor_pb2.Turn:
        """See Batos.correct."""
        return await self._transport.call(supervisor_calls.correct(soma, turn, text))

    def personas(self) -> AsyncIterator[supervisor_pb2.Persona]:
        """See Batos.personas."""
        return self._transport.pages(supervisor_calls.personas())

    def somas(
        self, persona: str = "", *, golden_only: bool = False
    ) -> AsyncIterator[supervisor_pb2.Soma]:
        """See Batos.somas."""
        return self._transport.pages(supervisor_calls.somas(persona, golden_only=golden_only))

    async def roll_back(self, persona: str) -> supervisor_pb2.Persona:
        """See Batos.roll_back."""
        return await self._transport.call(supervisor_calls.roll_back(persona))

    def events(self, after: int = 0) -> AsyncStream[supervisor_pb2.Event, None]:
        """See Batos.events."""
        return self._transport.watch(supervisor_calls.events(after))

    def images(self) -> AsyncIterator[supervisor_pb2.Image]:
        """See Batos.images."""
        return self._transport.pages(supervisor_calls.images())

    def save_image(
        self, note: str = ""
    ) -> AsyncStream[supervisor_pb2.SaveImageResponse, supervisor_pb2.Image]:
        """See Batos.save_image."""
        return self._transport.work(supervisor_calls.save_image(note))

    def load_image(
        self, name: str, *, discard_current: bool = False
    ) -> AsyncStream[supervisor_pb2.LoadImageResponse, supervisor_pb2.LoadedImage]:
        """See Batos.load_image."""
        return self._transport.work(
            supervisor_calls.load_image(name, discard_current=discard_current)
        )

    async def remember(
        self, *texts: str, namespace: str, soma: str = "documents/notes", speaker: str = "user"
    ) -> list[str]:
        """See Batos.remember."""
        return await self._transport.batches(memory_calls.remember(texts, namespace, soma, speaker))

    async def recall(self, query: str, *, namespace: str, limit: int = 10) -> list[memory_pb2.Hit]:
        """See Batos.recall."""
        return await self._transport.call(memory_calls.recall(query, namespace, limit))

    async def forget(self, *ids: str, namespace: str) -> memory_pb2.ForgetResponse:
        """See Batos.forget."""
        return await self._transport.call(memory_calls.forget(ids, namespace))

    def tools(self, *, include_retired: bool = False) -> AsyncIterator[toolforge_pb2.Tool]:
        """See Batos.tools."""
        return self._transport.pages(toolforge_calls.tools(include_retired=include_retired))

    async def invoke(self, name: str, /, **arguments: Any) -> Any:
        """See Batos.invoke."""
        return await self._transport.call(toolforge_calls.invoke(name, arguments))

    async def forge(
        self, name: str, description: str, examples: Examples, *, persona: str = ""
    ) -> AsyncStream[toolforge_pb2.ForgeEvent, toolforge_pb2.Forge]:
        """See Batos.forge."""
        begun = await self._transport.call(
            toolforge_calls.start_forge(name, description, examples, persona)
        )
        return self._transport.watch(toolforge_calls.watch_forge(begun.name))

    async def train(
        self,
        persona: str,
        *,
        engine: str = "",
        hyperparameters: trainer_pb2.Hyperparameters | None = None,
    ) -> trainer_pb2.TrainingRun:
        """See Batos.train."""
        return await self._transport.call(trainer_calls.train(persona, engine, hyperparameters))

    def runs(self) -> AsyncIterator[trainer_pb2.TrainingRun]:
        """See Batos.runs."""
        return self._transport.pages(trainer_calls.runs())

    def watch(self, run: str) -> AsyncStream[trainer_pb2.TrainingEvent, trainer_pb2.TrainingRun]:
        """See Batos.watch."""
        return self._transport.watch(trainer_calls.watch(run))

    async def close(self) -> None:
        """See Batos.close."""
        await self._transport.close()

    async def __aenter__(self) -> "AsyncBatos":
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close()
