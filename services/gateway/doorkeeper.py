"""Asks for operator tokens where they are required, and notes who did what."""

from __future__ import annotations

import time

import structlog
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from services.gateway import tokens as kept
from services.gateway.audit import AuditLog, Deed
from services.gateway.live_response import framing_of, send_error
from services.gateway.refusals import CLIENT_GONE
from services.gateway.tokens import Token, Tokens
from shared.errors import BatosError, PermissionDenied
from shared.interceptors import request_id

# Asked by whoever watches over us; tells nothing of anybody's.
_FOR_ALL = ("/healthz",)
_SCOPES = {
    "/v1/chat/completions": kept.Scope.CHAT,
    "/api/chat": kept.Scope.CHAT,
    "/v1/embeddings": kept.Scope.EMBED,
}
_PATH_LIMIT = 200

log = structlog.get_logger()


class Doorkeeper:
    """ASGI middleware: 401 without a good token, 403 for one that is not for this.

    Where tokens are not `required` everybody passes, and a good token only says who it was.
    """

    def __init__(self, app: ASGIApp, tokens: Tokens, audit: AuditLog, required: bool) -> None:
        self._app = app
        self._tokens = tokens
        self._audit = audit
        self._required = required

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Passes on what may come in; keeps what came of it."""
        if scope["type"] != "http" or scope["path"] in _FOR_ALL:
            await self._app(scope, receive, send)
            return
        secret = _shown(Headers(scope=scope))
        token = await self._tokens.of(secret) if secret.startswith(kept.PREFIX) else None
        noted = False

        async def noting(message: Message) -> None:
            nonlocal noted
            if message["type"] == "http.response.start":
                # Before the answer goes out: what was answered is kept, whatever happens next.
                noted = True
                await self._note(scope, token, message["status"])
            await send(message)

        try:
            if refusal := self._refusal(token, scope["path"]):
                await send_error(noting, refusal, framing_of(scope["path"]))
            else:
                await self._app(scope, receive, noting)
        finally:
            if not noted:
                await self._note(scope, token, CLIENT_GONE)

    def _refusal(self, token: Token | None, path: str) -> BatosError | None:
        if not self._required:
            return None
        if token is None:
            return PermissionDenied(
                "show an operator token as a bearer token; its owner makes one by "
                "python -m services.gateway.manage create NAME --scope chat",
                reason="TOKEN_WRONG",
            )
        wanted = _SCOPES.get(path, kept.Scope.READ)
        if wanted not in token.scopes:
            return PermissionDenied(
                f"this token is good for {', '.join(sorted(token.scopes))}, and not for {wanted}",
                reason="SCOPE_MISSING",
            )
        return None

    async def _note(self, scope: Scope, token: Token | None, status: int) -> None:
        client = scope.get("client") or ("",)
        who = (token.id, token.name) if token else ("", "")
        method, path = scope["method"], scope["path"][:_PATH_LIMIT]
        said = request_id.current.get()
        deed = Deed(time.time(), *who, client[0], method, path, status, said)
        try:
            await self._audit.note(deed)
        except BatosError as error:  # the log has what the file could not take
            log.error("deed_not_kept", path=deed.path, token=deed.token, error=error.message)


def _shown(headers: Headers) -> str:
    scheme, _, secret = headers.get("authorization", "").partition(" ")
    return secret.strip() if scheme.lower() == "bearer" else ""
