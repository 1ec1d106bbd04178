"""The model backend through Ollama's own client. Any server of that API will do."""

from collections.abc import AsyncGenerator, Iterator, Mapping, Sequence
from contextlib import aclosing, contextmanager
from typing import Any

import httpx
from ollama import AsyncClient, ResponseError

from services.supervisor.model import Loaded, Spent
from services.supervisor.persona import ModelPointer
from services.supervisor.prompt import Message
from services.supervisor.tools import Offer, Wish
from shared import tracing
from shared.errors import BatosError, FailedPrecondition, Unavailable

_CONNECT_SECONDS = 3.0
_RETRY_SECONDS = 2.0
_NOT_FOUND = 404
_MODELS_KNOWN = 64


class OllamaModel:
    """A `ModelBackend`.

    `stall_seconds` bounds the pause between two pieces of an answer, loading included;
    `answer_tokens` bounds an answer; `keep_alive` is how long the backend keeps an idle model.
    """

    def __init__(
        self, host: str, *, stall_seconds: float, answer_tokens: int, keep_alive: str
    ) -> None:
        timeout = httpx.Timeout(stall_seconds, connect=_CONNECT_SECONDS)
        self._client = AsyncClient(host, timeout=timeout, event_hooks=tracing.HTTPX_HOOKS)
        self._host = host
        self._keep_alive = keep_alive
        self._speak_tools: dict[ModelPointer, bool] = {}
        # At temperature 0 a small model may repeat itself for ever.
        self._options = {"temperature": 0, "num_predict": answer_tokens}

    async def close(self) -> None:
        """Closes the connections."""
        await self._client.close()  # type: ignore[no-untyped-call]

    async def chat(
        self,
        tag: str,
        chat: Sequence[Message],
        options: Mapping[str, float],
        offers: Sequence[Offer] = (),
    ) -> AsyncGenerator[str | Wish | Spent, None]:
        """The answer, piece by piece; closing the generator closes the connection."""
        finished = False
        with self._errors(tag):
            stream = await self._client.chat(
                tag,
                [_message(message) for message in chat],
                tools=[_tool(offer) for offer in offers] or None,
                stream=True,
                options={**self._options, **options},
                keep_alive=self._keep_alive,
            )
            async with aclosing(stream) as parts:  # type: ignore[type-var]
                async for part in parts:
                    if part.message.content:
                        yield part.message.content
                    for call in part.message.tool_calls or ():
                        yield Wish(call.function.name, call.function.arguments)
                    if part.done:
                        finished = True
                        yield Spent(part.prompt_eval_count or 0, part.eval_count or 0)
        if not finished:
            raise _away("the model backend cut the answer off", "MODEL_STREAM_CUT")

    async def speaks_tools(self, pointer: ModelPointer) -> bool:
        """What `/api/show` says of the model; asked once for each pointer."""
        if pointer not in self._speak_tools:
            with self._errors(pointer.tag):
                shown = await self._client.show(pointer.tag)
            while len(self._speak_tools) >= _MODELS_KNOWN:
                self._speak_tools.pop(next(iter(self._speak_tools)))
            self._speak_tools[pointer] = "tools" in (shown.capabilities or ())
        return self._speak_tools[pointer]

    async def digest(self, tag: str) -> str:
        """The digest that `/api/tags` has for a tag; "" where there is no such tag."""
        with self._errors(tag):
            listing = await self._client.list()
        # The backend completes a name without a tag by ":latest".
        names = {tag, f"{tag}:latest"}
        return next((m.digest or "" for m in listing.models if m.model in names), "")

    async def warm(self, tag: str) -> None:
        """Loads a model and has it speak one token."""
        with self._errors(tag):
            await self._client.chat(
                tag,
                [{"role": "user", "content": "Hello."}],
                options={"temperature": 0, "num_predict": 1},
                keep_alive=self._keep_alive,
            )

    async def loaded(self) -> Sequence[Loaded]:
        """What `/api/ps` lists."""
        with self._errors(""):
            running = await self._client.ps()
        return [Loaded(m.model or m.name or "", int(m.size_vram or 0)) for m in running.models]

    async def unload(self, tag: str) -> None:
        """Generates nothing with keep_alive 0, which is how Ollama unloads."""
        with self._errors(tag):
            await self._client.generate(tag, "", keep_alive=0)

    @contextmanager
    def _errors(self, tag: str) -> Iterator[None]:
        try:
            yield
        except (httpx.TransportError, ConnectionError) as error:
            what = str(error) or type(error).__name__
            raise _away(
                f"the model backend at {self._host} does not answer: {what}",
                "MODEL_BACKEND_UNAVAILABLE",
            ) from error
        except ResponseError as error:
            raise _refusal(tag, error) from error
        except (ValueError, TypeError, AttributeError) as error:
            raise _away(
                f"the model backend at {self._host} sent what is not its API: {error}",
                "MODEL_BACKEND_GARBLED",
            ) from error


def _message(message: Message) -> dict[str, Any]:
    written: dict[str, Any] = {"role": message.role, "content": message.content}
    if message.calls:
        written["tool_calls"] = [
            {"function": {"name": wish.name, "arguments": dict(wish.arguments)}}
            for wish in message.calls
        ]
    if message.tool_name:
        written["tool_name"] = message.tool_name
    return written


def _tool(offer: Offer) -> dict[str, Any]:
    function = {
        "name": offer.name,
        "description": offer.description,
        "parameters": dict(offer.schema),
    }
    return {"type": "function", "function": function}


def _away(message: str, reason: str) -> Unavailable:
    return Unavailable(message, reason=reason, retry_after=_RETRY_SECONDS)


def _refusal(tag: str, error: ResponseError) -> BatosError:
    if error.status_code == _NOT_FOUND:
        return FailedPrecondition(
            f"the model backend has no model {tag!r}; create or pull it there",
            reason="MODEL_NOT_FOUND",
        )
    if 400 <= error.status_code < 500:
        return FailedPrecondition(
            f"the model backend refuses {tag!r}: {error.error}", reason="MODEL_REFUSED"
        )
    return _away(f"the model backend failed with {tag!r}: {error.error}", "MODEL_FAILED")
