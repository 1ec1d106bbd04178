"""Drafts by Ollama, or by whatever speaks its HTTP API, through the official client."""

import asyncio
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from typing import Any, TypeAlias, cast

import httpx
from ollama import AsyncClient, ChatResponse, ResponseError

from services.toolforge.draft import is_enough
from services.toolforge.drafter import Sampling
from services.toolforge.prompt import Message
from shared import tracing
from shared.errors import BatosError, FailedPrecondition, Internal, Unavailable

Parts: TypeAlias = AsyncGenerator[ChatResponse, None]

_CUT_OFF = "the model backend broke off in the middle of an answer"


class OllamaDrafter:
    """Implements the port `Drafter`.

    An answer ends at `token_limit` tokens, or where `draft.is_enough` says so: what is cut there
    is judged like any other draft. `seconds` bounds one whole answer.
    """

    def __init__(self, host: str, token_limit: int, seconds: float) -> None:
        self._host = host
        self._client = AsyncClient(host, timeout=seconds, event_hooks=tracing.HTTPX_HOOKS)
        self._token_limit = token_limit
        self._seconds = seconds

    async def answer(
        self,
        model: str,
        messages: Sequence[Message],
        sampling: Sampling,
        schema: Mapping[str, Any] | None = None,
    ) -> str:
        """The model's whole answer; see the port for what it raises."""
        try:
            async with asyncio.timeout(self._seconds):
                return await self._answer(model, messages, sampling, schema)
        except TimeoutError:
            raise Unavailable(
                f"{model} gave no whole answer within {self._seconds:g} s", reason="MODEL_TIMED_OUT"
            ) from None
        except ResponseError as error:
            raise self._refusal(model, error) from error
        except (httpx.ConnectError, httpx.ConnectTimeout, ConnectionError) as error:
            raise Unavailable(
                f"the model backend at {self._host} cannot be reached; is Ollama running, and "
                "is OLLAMA_HOST right?",
                reason="MODEL_UNAVAILABLE",
            ) from error
        except httpx.HTTPError as error:
            raise Unavailable(_CUT_OFF, reason="MODEL_ANSWER_CUT_OFF") from error
        except (ValueError, TypeError, AttributeError) as error:  # no JSON, or of another shape
            raise Internal(
                f"the model backend at {self._host} does not speak Ollama's API: {error}",
                reason="MODEL_ANSWER_MALFORMED",
            ) from error

    async def close(self) -> None:
        """Closes the connections."""
        await self._client.close()  # type: ignore[no-untyped-call]

    async def _answer(
        self,
        model: str,
        messages: Sequence[Message],
        sampling: Sampling,
        schema: Mapping[str, Any] | None,
    ) -> str:
        options = {
            "num_predict": self._token_limit,
            **sampling.options,
            "temperature": sampling.temperature,
            "seed": sampling.seed,
        }
        chat = [{"role": message.role, "content": message.content} for message in messages]
        form = dict(schema) if schema else None
        parts = await self._client.chat(model, chat, stream=True, options=options, format=form)
        answer = ""
        async with aclosing(cast(Parts, parts)):  # hanging up stops the model
            async for part in parts:
                answer += part.message.content or ""
                if part.done or is_enough(answer):
                    return answer
        raise Unavailable(_CUT_OFF, reason="MODEL_ANSWER_CUT_OFF")

    def _refusal(self, model: str, error: ResponseError) -> BatosError:
        if error.status_code == httpx.codes.NOT_FOUND:
            return FailedPrecondition(
                f"the model backend at {self._host} has no model {model!r}: {error.error}",
                reason="MODEL_ABSENT",
            )
        return Unavailable(f"the model backend failed: {error.error}", reason="MODEL_FAILED")
