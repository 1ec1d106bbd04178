"""Embedder on Ollama's `/api/embed`, or on whatever speaks it, through the official client."""

import asyncio
from collections.abc import Sequence

import httpx
import numpy as np
from ollama import AsyncClient, ResponseError

from services.memory.embedder import EmbedderIdentity, Vectors, unit_length
from shared import tracing
from shared.errors import BatosError, FailedPrecondition, Internal, Unavailable

PREFIX = "ollama/"

_BATCH_TEXTS = 32
_ATTEMPTS = 4
_FIRST_PAUSE = 0.25  # seconds; doubled each time
_PROBE = "dimension"


class OllamaEmbedder:
    """See Embedder. Make it with `open`. `seconds` bounds one batch.

    Its name holds the model's digest: a model that was pulled anew under the same name makes other
    vectors.
    """

    def __init__(
        self, client: AsyncClient, host: str, model: str, identity: EmbedderIdentity
    ) -> None:
        self._client = client
        self._host = host
        self._model = model
        self._identity = identity
        # One batch at a time: there is one GPU behind it, and others use it too.
        self._turn = asyncio.Lock()

    @classmethod
    async def open(cls, host: str, model: str, seconds: float = 60.0) -> "OllamaEmbedder":
        """Asks Ollama for the model's digest and the length of its vectors.

        Raises Unavailable (EMBEDDER_UNAVAILABLE) where Ollama cannot be reached, and
        FailedPrecondition (EMBEDDER_NOT_FOUND) where it lacks the model.
        """
        client = AsyncClient(host, timeout=seconds, event_hooks=tracing.HTTPX_HOOKS)
        unknown = cls(client, host, model, EmbedderIdentity(f"{PREFIX}{model}", 0))
        try:
            digest = await unknown._digest()
            (vector,) = await unknown._asked([_PROBE])
        except BaseException:
            await unknown.close()
            raise
        identity = EmbedderIdentity(f"{PREFIX}{model}@{digest[:12]}", len(vector))
        return cls(client, host, model, identity)

    @property
    def identity(self) -> EmbedderIdentity:
        """`ollama/<model>@<first digits of its digest>`."""
        return self._identity

    async def embed(self, texts: Sequence[str]) -> Vectors:
        """See Embedder.embed; blank texts have zeros, too long ones are cut by the model.

        Raises FailedPrecondition (EMBEDDER_MISMATCH) where vectors come in another length.
        """
        vectors = np.zeros((len(texts), self._identity.dimension), dtype=np.float32)
        places = [place for place, text in enumerate(texts) if text.strip()]
        async with self._turn:
            for first in range(0, len(places), _BATCH_TEXTS):
                batch = places[first : first + _BATCH_TEXTS]
                vectors[batch] = self._checked(await self._asked([texts[at] for at in batch]))
        return vectors

    async def close(self) -> None:
        """Closes the connections."""
        await self._client.close()  # type: ignore[no-untyped-call]

    def _checked(self, answer: Sequence[Sequence[float]]) -> Vectors:
        lengths = {len(vector) for vector in answer}
        if lengths != {self._identity.dimension}:
            raise FailedPrecondition(
                f"{self._model} now makes vectors of {sorted(lengths)} numbers, not of "
                f"{self._identity.dimension}: it was replaced by another model",
                reason="EMBEDDER_MISMATCH",
            )
        raw = np.asarray(answer, dtype=np.float32)
        if not np.isfinite(raw).all():
            raise self._bad(f"made vectors of {self._model} that are no numbers")
        return unit_length(raw)

    async def _digest(self) -> str:
        try:
            models = (await self._client.list()).models
        except (httpx.HTTPError, ConnectionError, ResponseError) as error:
            raise self._away(error) from error
        for known in models:
            if known.model in (self._model, f"{self._model}:latest") and known.digest:
                return known.digest.removeprefix("sha256:")
        raise self._missing()

    async def _asked(self, texts: Sequence[str]) -> Sequence[Sequence[float]]:
        """One batch, again where Ollama is away for a moment or overloaded."""
        for attempt in range(_ATTEMPTS):
            try:
                answer = (await self._client.embed(self._model, texts, truncate=True)).embeddings
            except ResponseError as error:
                if error.status_code < httpx.codes.INTERNAL_SERVER_ERROR:
                    raise self._refusal(error) from error
                fault: Exception = error
            except (httpx.HTTPError, ConnectionError) as error:
                fault = error
            except (ValueError, TypeError) as error:  # no JSON, or of another shape
                raise self._bad(f"does not speak Ollama's API: {error}") from error
            else:
                if len(answer) == len(texts):
                    return answer
                raise self._bad(f"answered {len(texts)} texts with {len(answer)} vectors")
            if attempt + 1 < _ATTEMPTS:
                await asyncio.sleep(_FIRST_PAUSE * 2**attempt)
        raise self._away(fault) from fault

    def _refusal(self, error: ResponseError) -> BatosError:
        if error.status_code == httpx.codes.NOT_FOUND:
            return self._missing()
        return FailedPrecondition(
            f"{self._model} at {self._host} does not embed: {error.error}", reason="NO_EMBEDDER"
        )

    def _bad(self, what: str) -> Internal:
        return Internal(f"the embedding model's server {self._host} {what}", reason="BAD_VECTORS")

    def _missing(self) -> FailedPrecondition:
        return FailedPrecondition(
            f"{self._host} has no model {self._model}; fetch it with: ollama pull {self._model}",
            reason="EMBEDDER_NOT_FOUND",
        )

    def _away(self, error: Exception) -> Unavailable:
        return Unavailable(
            f"the embedding model at {self._host} cannot be reached ({type(error).__name__}); is "
            "Ollama running, and is OLLAMA_HOST right?",
            reason="EMBEDDER_UNAVAILABLE",
        )
