"""How a persona speaks in a turn: its model's answer, with the calls of tools inside it."""

import json
import time
import uuid
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field, replace

from services.supervisor import tool_text
from services.supervisor.model import ModelBackend, Spent
from services.supervisor.persona import ModelPointer
from services.supervisor.prompt import Message
from services.supervisor.tools import Offer, Outcome, Ran, ToolCall, Tools, Wish
from shared import spoken_calls, tracing

_NOT_OFFERED = "there is no such tool; those that were listed are all there are"


@dataclass(frozen=True, slots=True)
class Delta:
    """The next piece of an answer."""

    text: str


@dataclass(frozen=True, slots=True)
class Calling:
    """A call begins."""

    call: ToolCall


@dataclass(frozen=True, slots=True)
class Called:
    """A call is over."""

    call: ToolCall


Saying = Delta | Calling | Called
Tell = Callable[[Saying], None]


@dataclass(frozen=True, slots=True)
class CallLimits:
    """`rounds` of calls and `calls` in all of one turn; `seconds` of one call."""

    rounds: int
    calls: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Request:
    """What is to be answered; `native` where the model's own template knows tools.

    The same `request_id` makes the same calls again without running them twice.
    """

    request_id: str
    pointer: ModelPointer
    chat: Sequence[Message]
    options: Mapping[str, float]
    offers: Sequence[Offer]
    native: bool


@dataclass(slots=True)
class Spoken:
    """An answer as far as it is there; `first_at` is monotonic, 0 before the first piece."""

    pieces: list[str] = field(default_factory=list)
    calls: list[ToolCall] = field(default_factory=list)
    first_at: float = 0.0
    prompt_tokens: int = 0
    answer_tokens: int = 0

    @property
    def text(self) -> str:
        """Everything that was said, before and after calls."""
        return "".join(self.pieces)


class Speech:
    """Has models speak, and runs the tools that they call."""

    def __init__(self, model: ModelBackend, tools: Tools, limits: CallLimits) -> None:
        self._model = model
        self._tools = tools
        self._limits = limits

    async def speak(self, request: Request, tell: Tell) -> Spoken:
        """The whole answer. Its deltas and calls are told as they come.

        After the last round no tools are offered any more, so that the answer comes to an end.
        """
        spoken, chat = Spoken(), list(request.chat)
        for number in range(self._limits.rounds + 1):
            offers = request.offers if number < self._limits.rounds else ()
            before = len(spoken.pieces)
            wishes = await self._said(replace(request, chat=chat, offers=offers), spoken, tell)
            wishes = wishes[: self._limits.calls - len(spoken.calls)]
            if not wishes:
                break
            said = "".join(spoken.pieces[before:])
            results = [await self._called(request, spoken, wish, tell) for wish in wishes]
            chat += _told(request.native, said, list(zip(wishes, results, strict=True)))
        return spoken

    async def _said(self, request: Request, spoken: Spoken, tell: Tell) -> list[Wish]:
        """One answer of the model; the calls that it asks for."""
        wishes: list[Wish] = []
        native = request.offers if request.native else ()
        answer = self._model.chat(request.pointer.tag, request.chat, request.options, native)
        if request.offers and not request.native:
            answer = _with_calls_read(answer)
        with tracing.span("chat", **{"gen_ai.request.model": request.pointer.tag}):
            await _heard(answer, spoken, wishes, tell)
        return wishes if request.offers else []

    async def _called(self, request: Request, spoken: Spoken, wish: Wish, tell: Tell) -> Ran:
        arguments = json.dumps(dict(wish.arguments), ensure_ascii=False)
        call = ToolCall(wish.name, arguments, len(spoken.text))
        tell(Calling(call))
        began = time.monotonic()
        if any(offer.name == wish.name for offer in request.offers):
            key = f"{request.request_id}/{len(spoken.calls)}/{wish.name}/{arguments}"
            call_id = str(uuid.uuid5(uuid.NAMESPACE_OID, key))
            ran = await self._tools.call(call_id, wish, self._limits.seconds)
        else:
            ran = Ran(Outcome.REFUSED, _NOT_OFFERED)
        call = replace(
            call,
            outcome=ran.outcome,
            result=ran.result,
            wall_seconds=time.monotonic() - began,
        )
        spoken.calls.append(call)
        tell(Called(call))
        return ran


async def _heard(
    answer: AsyncGenerator[str | Wish | Spent, None], spoken: Spoken, wishes: list[Wish], tell: Tell
) -> None:
    """Takes an answer down as it comes."""
    async with aclosing(answer) as parts:
        async for part in parts:
            match part:
                case str():
                    spoken.first_at = spoken.first_at or time.monotonic()
                    spoken.pieces.append(part)
                    tell(Delta(part))
                case Wish():
                    wishes.append(part)
                case Spent(prompt_tokens, answer_tokens):
                    spoken.prompt_tokens += prompt_tokens
                    spoken.answer_tokens += answer_tokens


async def _with_calls_read(
    answer: AsyncGenerator[str | Wish | Spent, None],
) -> AsyncGenerator[str | Wish | Spent, None]:
    """Holds an answer back while it may be a call; gives it as a call, or as it is."""
    held: str | None = ""
    async with aclosing(answer) as parts:
        async for part in parts:
            if held is None or not isinstance(part, str):
                yield part
                continue
            held += part
            if not tool_text.may_become_call(held):
                yield held
                held = None
    if held:
        yield tool_text.read_call(held) or held


def _told(native: bool, said: str, calls: Sequence[tuple[Wish, Ran]]) -> list[Message]:
    """The calls and their results as the model's next chat has them."""
    if native:
        asked = Message("assistant", said, tuple(wish for wish, _ in calls))
        answers = [Message("tool", _words(ran), tool_name=wish.name) for wish, ran in calls]
        return [asked, *answers]
    return [
        message
        for wish, ran in calls
        for message in (
            Message("assistant", said + spoken_calls.call_text(wish.name, wish.arguments)),
            Message("user", spoken_calls.result_text(wish.name, _words(ran))),
        )
    ]


def _words(ran: Ran) -> str:
    return spoken_calls.outcome_text(ran.result, failed=ran.outcome is not Outcome.OK)
