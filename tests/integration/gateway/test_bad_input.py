"""What comes in wrong is refused with a reason, and the gateway goes on."""

from __future__ import annotations

import json
import socket
from urllib.parse import urlsplit

import httpx
import pytest

from tests.integration.gateway.conftest import CHUNK_BYTES
from tests.integration.gateway.talk import assistant, user

CHAT = "/v1/chat/completions"


def chat(**changes) -> bytes:
    body = {"model": "ROBIN", "messages": [user("Hello.")]} | changes
    return json.dumps({name: value for name, value in body.items() if value is not ...}).encode()


BAD = {
    "empty body": (b"", 400, "invalid_json"),
    "no JSON": (b"{'model': 1}", 400, "invalid_json"),
    "cut JSON": (chat()[:-4], 400, "invalid_json"),
    "no UTF-8": (b'{"model": "\xff"}', 400, "invalid_json"),
    "deep": (b"[" * 20_000, 400, "invalid_json"),
    "lone surrogate": (chat(messages=[user("\ud800")]), 400, "invalid_json"),
    "no object": (b"[1]", 400, "invalid_argument"),
    "no model": (chat(model=...), 400, "invalid_argument"),
    "empty model": (chat(model=""), 400, "invalid_argument"),
    "model of another type": (chat(model=7), 400, "invalid_argument"),
    "unknown model": (chat(model="JOKER"), 404, "model_not_found"),
    "no messages": (chat(messages=...), 400, "invalid_argument"),
    "empty messages": (chat(messages=[]), 400, "invalid_argument"),
    "messages of another type": (chat(messages="Hello."), 400, "invalid_argument"),
    "stream of another type": (chat(stream="maybe"), 400, "invalid_argument"),
    "empty text": (chat(messages=[user(" ")]), 400, "invalid_argument"),
    "unknown role": (chat(messages=[{"role": "king", "content": "a"}]), 400, "invalid_argument"),
    "no question": (chat(messages=[user("a"), assistant("b")]), 400, "invalid_argument"),
    "system alone": (
        chat(messages=[{"role": "system", "content": "a"}]),
        400,
        "invalid_argument",
    ),
    "an image": (
        chat(messages=[{"role": "user", "content": [{"type": "image_url", "image_url": {}}]}]),
        400,
        "unsupported_parameter",
    ),
    "a tool's answer": (
        chat(messages=[user("a"), {"role": "tool", "content": "1", "tool_call_id": "x"}]),
        400,
        "unsupported_parameter",
    ),
    "a question over 32 KiB": (chat(messages=[user("a" * 40_000)]), 400, "invalid_argument"),
    "a history over 32 KiB": (
        chat(messages=[user("a" * 40_000), assistant("b"), user("c")]),
        400,
        "invalid_argument",
    ),
    "oversized": (chat(messages=[user("a" * CHUNK_BYTES)]), 400, "request_too_large"),
}


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("name", BAD)
def test_bad_chats(http: httpx.Client, name: str, stream: bool) -> None:
    body, status, code = BAD[name]
    if stream:  # an error before the first piece is an HTTP error all the same
        body = body.replace(b'{"model"', b'{"stream": true, "model"', 1)
    answer = http.post(CHAT, content=body)
    error = answer.json()["error"]
    assert (answer.status_code, error["code"]) == (status, code), error
    assert error["type"] == "invalid_request_error"
    assert error["message"]
    assert "Traceback" not in answer.text


def test_a_body_in_chunks_is_bounded_as_well(http: httpx.Client) -> None:
    answer = http.post(CHAT, content=(b"[" * 1024 for _ in range(100)))
    assert answer.json()["error"]["code"] == "request_too_large"


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"model": "starter", "input": []}, 400),
        ({"model": "starter", "input": ""}, 400),
        ({"model": "starter", "input": [1, 2, 3]}, 400),
        ({"model": "starter"}, 400),
        ({"model": "none-such", "input": "a"}, 404),
    ],
)
def test_bad_embeddings(http: httpx.Client, body: dict, status: int) -> None:
    answer = http.post("/v1/embeddings", json=body)
    assert answer.status_code == status
    assert answer.json()["error"]["type"] == "invalid_request_error"


def test_unknown_routes_and_methods(http: httpx.Client) -> None:
    for method, path, status in (
        ("GET", "/v1/none", 404),
        ("GET", CHAT, 405),
        ("POST", "/v1/models", 405),
    ):
        answer = http.request(method, path)
        assert answer.status_code == status
        assert answer.json()["error"]["type"] == "invalid_request_error"


def test_a_long_idempotency_key_is_refused(http: httpx.Client) -> None:
    answer = http.post(CHAT, content=chat(), headers={"Idempotency-Key": "k" * 256})
    assert answer.status_code == 400
    assert answer.json()["error"]["param"] == "Idempotency-Key"


def test_ids_of_requests_come_back(http: httpx.Client) -> None:
    known = http.get("/v1/models", headers={"X-Request-Id": "of-my-own-1"})
    assert known.headers["x-request-id"] == "of-my-own-1"
    assert (
        len(http.get("/v1/models", headers={"X-Request-Id": "a b"}).headers["x-request-id"]) == 32
    )


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://stranger.example"},
        {"Origin": "null"},
        {"Host": "stranger.example"},
    ],
)
def test_pages_of_strangers_are_refused(http: httpx.Client, headers: dict) -> None:
    answer = http.post(CHAT, content=chat(), headers=headers)
    assert answer.status_code == 403
    assert answer.json()["error"]["type"] == "permission_error"


def test_pages_of_this_machine_are_not(http: httpx.Client) -> None:
    assert http.get("/v1/models", headers={"Origin": "http://localhost:3000"}).status_code == 200


@pytest.mark.parametrize("after", [0, 30])
def test_a_request_that_is_cut_off_harms_nobody(http: httpx.Client, url: str, after: int) -> None:
    address = urlsplit(url)
    body = chat()
    head = f"POST {CHAT} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(body)}\r\n\r\n"
    with socket.create_connection((address.hostname, address.port)) as half:
        half.sendall(head.encode() + body[:after])
    assert http.get("/healthz").status_code == 200
    assert http.post(CHAT, content=body).status_code == 200


def test_noise_is_no_http(http: httpx.Client, url: str) -> None:
    address = urlsplit(url)
    with socket.create_connection((address.hostname, address.port)) as noise:
        noise.sendall(b"\x16\x03\x01\x00\xff\x00 what?\r\n\r\n")
        assert noise.recv(64).startswith(b"HTTP/1.1 400")
    assert http.get("/healthz").status_code == 200
