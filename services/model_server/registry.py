"""POST /api/pull and /api/push. This server has no registry: what is there is there."""

from __future__ import annotations

from collections.abc import AsyncIterator

from services.model_server.answer import Line
from services.model_server.errors import ModelServerError
from services.model_server.library import Library
from services.model_server.model_name import ModelName
from services.model_server.requests import PullRequest


async def pull(library: Library, request: PullRequest) -> AsyncIterator[Line]:
    """Success for a model that is there; for any other the failure of a registry without it."""
    name = ModelName.parse(request.model)
    yield {"status": "pulling manifest"}
    if await library.disk.run(library.store.find, name) is None:
        raise ModelServerError(
            "pull model manifest: file does not exist; the embedded server pulls from no registry:"
            " create the model from files, or point OLLAMA_HOST at Ollama"
        )
    yield {"status": "success"}


async def push(library: Library, request: PullRequest) -> AsyncIterator[Line]:
    """Always refused, after the model was found."""
    await library.open(request.model)
    yield {"status": "retrieving manifest"}
    raise ModelServerError("push: the embedded server has no registry to push to")
