"""Vectors from the model backend, through Ollama's own client."""

from __future__ import annotations

from collections.abc import Sequence

import httpx
from ollama import AsyncClient, ResponseError

from shared.errors import BatosError, FailedPrecondition, NotFound, Unavailable

_SECONDS = 60.0
_RETRY_SECONDS = 2.0


class OllamaEmbeddings:
    """The models of the backend that embed, by their tags there."""

    def __init__(self, host: str) -> None:
        self._client = AsyncClient(host, timeout=_SECONDS)
        self._host = host

    async def close(self) -> None:
        """Closes the connections."""
        await self._client.close()  # type: ignore[no-untyped-call]

    async def embed(
        self, model: str, texts: Sequence[str], dimensions: int | None
    ) -> tuple[Sequence[Sequence[float]], int]:
        """A vector per text, and the tokens that were read.

        NotFound (MODEL_NOT_FOUND), FailedPrecondition (EMBEDDINGS_MISSING) where the backend does
        not embed at all, (EMBEDDINGS_REFUSED) where this model does not; Unavailable.
        """
        try:
            answer = await self._client.embed(model, texts, dimensions=dimensions)
        except ResponseError as error:
            raise _refusal(model, error) from error
        except (httpx.HTTPError, ConnectionError, ValueError, TypeError) as error:
            raise _away(f"{self._host} does not answer: {type(error).__name__}") from error
        if len(answer.embeddings) != len(texts):
            raise _away(f"{len(texts)} texts were answered with {len(answer.embeddings)} vectors")
        return answer.embeddings, answer.prompt_eval_count or 0


def _refusal(model: str, error: ResponseError) -> BatosError:
    status = error.status_code
    if status == httpx.codes.NOT_FOUND:
        return NotFound(f"model '{model}' not found", reason="MODEL_NOT_FOUND")
    if status == httpx.codes.NOT_IMPLEMENTED:
        return FailedPrecondition(
            f"the model backend makes no embeddings: {error.error}", reason="EMBEDDINGS_MISSING"
        )
    if status < httpx.codes.INTERNAL_SERVER_ERROR:
        return FailedPrecondition(
            f"the model backend refuses {model!r}: {error.error}", reason="EMBEDDINGS_REFUSED"
        )
    return _away(f"it failed with {model!r}: {error.error}")


def _away(why: str) -> Unavailable:
    return Unavailable(
        f"the model backend cannot embed now: {why}",
        reason="MODEL_BACKEND_UNAVAILABLE",
        retry_after=_RETRY_SECONDS,
    )
