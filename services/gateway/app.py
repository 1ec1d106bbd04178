"""The gateway as an ASGI application: both APIs, and whether it can work."""

from __future__ import annotations

import structlog
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from services.gateway.audit import AuditLog
from services.gateway.callers import KnownCallers
from services.gateway.doorkeeper import Doorkeeper
from services.gateway.doors import Backs
from services.gateway.live_response import framing_of
from services.gateway.ollama_api import OllamaApi
from services.gateway.openai_api import OpenAIApi
from services.gateway.refusals import CLIENT_GONE, headers_of, status_of
from services.gateway.request_log import RequestLog
from services.gateway.settings import GatewaySettings
from services.gateway.tokens import Tokens
from shared.errors import BatosError, Internal, InvalidArgument, NotFound
from shared.http_metrics import Measured
from shared.sqlite import Database

log = structlog.get_logger()


def build_app(backs: Backs, settings: GatewaySettings, records: Database) -> Starlette:
    """All routes over what answers them; `records` is of `services.gateway.records`."""

    async def health(_: Request) -> Response:
        serving = await backs.supervisor.is_serving()
        told = {"serving": serving, "supervisor": "serving" if serving else "away"}
        return JSONResponse(told, status_code=200 if serving else 503)

    routes = [
        Route("/healthz", health, methods=["GET"]),
        *OllamaApi(backs).routes(),
        *OpenAIApi(backs).routes(),
    ]
    app = Starlette(
        routes=routes,
        exception_handlers={
            BatosError: _refused,
            HTTPException: _no_route,
            ClientDisconnect: _client_gone,
            Exception: _failed,
        },
        middleware=[
            Middleware(Measured, paths=[route.path for route in routes]),
            Middleware(RequestLog),
            Middleware(KnownCallers, hosts=settings.hosts),
            Middleware(
                Doorkeeper,
                tokens=Tokens(records),
                audit=AuditLog(records),
                required=settings.tokens == "required",
            ),
        ],
    )
    app.state.max_body_bytes = settings.max_body_bytes
    return app


async def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, BatosError)
    return _answer(request, error)


async def _no_route(request: Request, error: Exception) -> Response:
    what = f"{request.method} {request.url.path}"
    if isinstance(error, HTTPException) and error.status_code == 405:
        return _answer(
            request, InvalidArgument(f"{what}: method not allowed", reason="METHOD_NOT_ALLOWED")
        )
    return _answer(request, NotFound(f"{what}: no such route", reason="ROUTE_NOT_FOUND"))


async def _client_gone(request: Request, _: Exception) -> Response:
    log.info("client_gone", path=request.url.path)
    return Response(status_code=CLIENT_GONE)


async def _failed(request: Request, error: Exception) -> Response:
    log.error("request_failed", path=request.url.path, exc_info=error)
    return _answer(request, Internal("internal server error"))


def _answer(request: Request, error: BatosError) -> Response:
    told = framing_of(request.url.path).error(error)
    return JSONResponse(told, status_code=status_of(error), headers=headers_of(error))
