"""The blocking client."""

from collections.abc import Iterator
from types import TracebackType
from typing import Any

from batos.client import memory_calls, supervisor_calls, toolforge_calls, trainer_calls
from batos.client.channels import Channels
from batos.client.settings import Settings
from batos.client.streams import Stream
from batos.client.toolforge_calls import Examples
from batos.client.transport_sync import Transport, opened
from batos.memory.v1 import memory_pb2
from batos.supervisor.v1 import supervisor_pb2
from batos.toolforge.v1 import toolforge_pb2
from batos.trainer.v1 import trainer_pb2


class Batos:
    """A machine's personas, memory, tools and training; safe among threads.

    Services are found by `settings`, or by variables (Settings). A channel to each is opened when
    it is first needed; `close`, or leaving it as a context manager, ends them. Every method may
    raise any BatosError.
    """

    def __init__(self, settings: Settings | None = None) -> None:
        settings = settings or Settings()
        self._transport = Transport(settings, Channels(settings, opened), settings.deadline)

    def within(self, seconds: float) -> "Batos":
        """The same client, its calls given up after so many seconds: batos.within(5).ask(...)."""
        other = Batos.__new__(Batos)
        other._transport = self._transport.within(seconds)
        return other

    def chat(
        self, text: str, *, persona: str = "", soma: str = "", request_id: str = ""
    ) -> Stream[supervisor_pb2.ConverseResponse, supervisor_pb2.Finished]:
        """One turn as it happens: `delta` has the next words, the result the kept turn.

        A `soma` goes on with a conversation, else a new one of the persona begins. The request_id
        of a turn that was finished before replays it.
        """
        return self._transport.work(supervisor_calls.chat(text, persona, soma, request_id))

    def ask(
        self, text: str, *, persona: str = "", soma: str = "", request_id: str = ""
    ) -> supervisor_pb2.Finished:
        """One turn, whole: chat's result, asked for again where the connection breaks."""
        return self._transport.finish(supervisor_calls.chat(text, persona, soma, request_id))

    def rate(self, soma: str, turn: int, *, good: bool) -> supervisor_pb2.Turn:
        """Says how good a turn was, by its number; the persona learns from good ones."""
        return self._transport.call(supervisor_calls.rate(soma, turn, good=good))

    def correct(self, soma: str, turn: int, text: str) -> supervisor_pb2.Turn:
        """Says what a turn should have answered; the persona learns from it."""
        return self._transport.call(supervisor_calls.correct(soma, turn, text))

    def personas(self) -> Iterator[supervisor_pb2.Persona]:
        """All personas, by name."""
        return self._transport.pages(supervisor_calls.personas())

    def somas(
        self, persona: str = "", *, golden_only: bool = False
    ) -> Iterator[supervisor_pb2.Soma]:
        """Conversations, newest first, without their turns; golden ones have something to teach."""
        return self._transport.pages(supervisor_calls.somas(persona, golden_only=golden_only))

    def roll_back(self, persona: str) -> supervisor_pb2.Persona:
        """Puts a persona back to the model before; twice is forward again."""
        return self._transport.call(supervisor_calls.roll_back(persona))

    def events(self, after: int = 0) -> Stream[supervisor_pb2.Event, None]:
        """The Supervisor's journal after a sequence, and what happens from now on, without end."""
        return self._transport.watch(supervisor_calls.events(after))

    def images(self) -> Iterator[supervisor_pb2.Image]:
        """Living Images, newest first."""
        return self._transport.pages(supervisor_calls.images())

    def save_image(
        self, note: str = ""
    ) -> Stream[supervisor_pb2.SaveImageResponse, supervisor_pb2.Image]:
        """Makes a Living Image; its progress, and the image as the result."""
        return self._transport.work(supervisor_calls.save_image(note))

    def load_image(
        self, name: str, *, discard_current: bool = False
    ) -> Stream[supervisor_pb2.LoadImageResponse, supervisor_pb2.LoadedImage]:
        """Puts all services back to an image; what there is now is saved first, or discarded."""
        return self._transport.work(
            supervisor_calls.load_image(name, discard_current=discard_current)
        )

    def remember(
        self, *texts: str, namespace: str, soma: str = "documents/notes", speaker: str = "user"
    ) -> list[str]:
        """Keeps texts and gives their ids; "personas/BRICK" is what BRICK recalls from."""
        return self._transport.batches(memory_calls.remember(texts, namespace, soma, speaker))

    def recall(self, query: str, *, namespace: str, limit: int = 10) -> list[memory_pb2.Hit]:
        """The records that answer a query, best first; at most 100."""
        return self._transport.call(memory_calls.recall(query, namespace, limit))

    def forget(self, *ids: str, namespace: str) -> memory_pb2.ForgetResponse:
        """Removes records for good."""
        return self._transport.call(memory_calls.forget(ids, namespace))

    def tools(self, *, include_retired: bool = False) -> Iterator[toolforge_pb2.Tool]:
        """All tools, by name."""
        return self._transport.pages(toolforge_calls.tools(include_retired=include_retired))

    def invoke(self, name: str, /, **arguments: Any) -> Any:
        """Runs a tool in the sandbox and gives its value; ToolFailed where it raised."""
        return self._transport.call(toolforge_calls.invoke(name, arguments))

    def forge(
        self, name: str, description: str, examples: Examples, *, persona: str = ""
    ) -> Stream[toolforge_pb2.ForgeEvent, toolforge_pb2.Forge]:
        """Has a tool written that meets the examples, pairs of arguments and result.

        It has begun when this returns; its attempts come as events, and the result is the forge.
        """
        begun = self._transport.call(
            toolforge_calls.start_forge(name, description, examples, persona)
        )
        return self._transport.watch(toolforge_calls.watch_forge(begun.name))

    def train(
        self,
        persona: str,
        *,
        engine: str = "",
        hyperparameters: trainer_pb2.Hyperparameters | None = None,
    ) -> trainer_pb2.TrainingRun:
        """Begins a run on all that a persona has to learn from, and returns at once."""
        return self._transport.call(trainer_calls.train(persona, engine, hyperparameters))

    def runs(self) -> Iterator[trainer_pb2.TrainingRun]:
        """Training runs, newest first."""
        return self._transport.pages(trainer_calls.runs())

    def watch(self, run: str) -> Stream[trainer_pb2.TrainingEvent, trainer_pb2.TrainingRun]:
        """All events of a run, by its name, until it has ended; the result is the run."""
        return self._transport.watch(trainer_calls.watch(run))

    def close(self) -> None:
        """Ends the channels, and with them all calls."""
        self._transport.close()

    def __enter__(self) -> "Batos":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()
