"""What both APIs stand on."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from starlette.requests import Request

from services.gateway.conversation import Call, Conversations, Placed
from services.gateway.dialogue import Dialogue
from services.gateway.ollama_embeddings import OllamaEmbeddings
from services.gateway.refusals import Json
from services.gateway.supervisor_peer import SupervisorPeer

SOMA = "x-batos-soma"
_KEY = "idempotency-key"
_IGNORED = "x-batos-ignored"


@dataclass(frozen=True, slots=True)
class Backs:
    """Whom the gateway asks; `since` is when it started, in seconds since 1970."""

    supervisor: SupervisorPeer
    conversations: Conversations
    embeddings: OllamaEmbeddings
    since: int


def call_of(request: Request, model: str, dialogue: Dialogue) -> Call:
    """A client's request with what its headers say."""
    headers = request.headers
    return Call(model, dialogue, headers.get(SOMA, "").strip(), headers.get(_KEY, "").strip())


def told(placed: Placed, ignored: Sequence[str]) -> Callable[[Json], Mapping[str, str]]:
    """The headers of an answer: its Soma, as far as that is known then, and what was ignored."""

    def headers(line: Json) -> Mapping[str, str]:
        soma = placed.utterance.soma or line.get("batos", {}).get("soma", "")
        pairs = {SOMA: soma, _IGNORED: ", ".join(_plain(name) for name in ignored[:32])}
        return {name: value for name, value in pairs.items() if value}

    return headers


def _plain(name: str) -> str:
    """A client's own word, fit for a header."""
    return "".join(c if c.isascii() and c.isprintable() and c != "," else "?" for c in name[:64])
