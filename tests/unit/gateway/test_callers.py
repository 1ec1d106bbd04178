"""Which callers are let in."""

import pytest
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from starlette.testclient import TestClient

from services.gateway.callers import KnownCallers


async def answer(_):
    return PlainTextResponse("in")


def status(hosts: str = "", path: str = "/v1/models", **headers: str) -> int:
    app = KnownCallers(Starlette(routes=[Route("/{rest:path}", answer)]), hosts)
    with TestClient(app, base_url="http://127.0.0.1") as client:
        return client.get(path, headers=headers).status_code


@pytest.mark.parametrize(
    ("host", "allowed"),
    [
        ("localhost:8080", True),
        ("app.localhost", True),
        ("127.0.0.1:8080", True),
        ("[::1]:8080", True),
        ("192.168.1.7:8080", True),
        ("gateway:8080", True),
        ("evil.example", False),
        ("localhost.evil.example", False),
        ("[", False),
        ("", False),
    ],
)
def test_hosts(host, allowed):
    assert status(hosts="gateway, Other", host=host) == (200 if allowed else 403)


@pytest.mark.parametrize(
    ("origin", "allowed"),
    [
        ("http://localhost:3000", True),
        ("http://[::1]", True),
        ("https://other", True),
        ("https://evil.example", False),
        ("http://192.168.1.7", False),
        ("null", False),
        ("http://[", False),
    ],
)
def test_origins(origin, allowed):
    assert status(hosts="gateway, Other", origin=origin) == (200 if allowed else 403)
