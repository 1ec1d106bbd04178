"""Clients that leave, a Supervisor that is full or away, and how the gateway starts and ends."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import openai
import pytest

from deploy.local.stack import LocalStack
from deploy.local.topology import ROOT
from tests.integration.gateway.talk import assistant, somas_of, user
from tests.integration.identity.certificates import Certificates
from tests.integration.supervisor.scripted_backend import Lines, ScriptedBackend, last, piece

ASK = [user("Hello.")]
CHAT = "/v1/chat/completions"


async def endless() -> Lines:
    yield piece("One")
    while True:
        await asyncio.sleep(0.05)
        yield piece(" more")


async def silent() -> Lines:
    await asyncio.sleep(60)
    yield last()


@pytest.fixture
async def backend() -> AsyncIterator[ScriptedBackend]:
    backend = ScriptedBackend()
    await backend.start()
    yield backend
    await backend.stop()


@asynccontextmanager
async def running(directory: Path, backend: ScriptedBackend, **settings: str):
    """A Supervisor whose model follows a script, with the gateway before it."""
    stack = LocalStack(
        directory,
        services=("supervisor", "gateway"),
        settings={"OLLAMA_HOST": backend.url, "BATOS_MEMORY_ADDRESS": "127.0.0.1:9"} | settings,
    )
    async with stack:
        yield stack


def client_of(stack: LocalStack) -> httpx.AsyncClient:
    return httpx.AsyncClient(base_url=f"http://{stack.addresses['gateway']}", timeout=30)


async def until(condition) -> None:
    async with asyncio.timeout(10):
        while not condition():
            await asyncio.sleep(0.02)


def body(stream: bool, text: str = "Hello.") -> dict:
    return {"model": "ROBIN", "messages": [user(text)], "stream": stream}


async def test_a_client_that_leaves_stops_the_model(tmp_path: Path, backend) -> None:
    async with running(tmp_path, backend) as stack, client_of(stack) as http:
        backend.say = endless
        async with http.stream("POST", CHAT, json=body(True)) as answer:
            async for line in answer.aiter_lines():
                if "more" in line:
                    break
        await until(lambda: backend.stopped == 1)
        backend.say = silent  # before anything is said, and without a stream
        for stream in (True, False):
            before = len(backend.chats)
            waiting = asyncio.ensure_future(http.post(CHAT, json=body(stream)))
            await until(lambda before=before: len(backend.chats) > before)
            waiting.cancel()
        await until(lambda: backend.stopped == 3)
        assert somas_of(stack) == []
        assert "Traceback" not in (tmp_path / "logs" / "gateway.log").read_text()


async def test_a_turn_that_fails_leaves_its_soma_known(tmp_path: Path, backend) -> None:
    async with running(tmp_path, backend) as stack, client_of(stack) as http:
        first = (await http.post(CHAT, json=body(False))).json()
        said = assistant(first["choices"][0]["message"]["content"])
        longer = body(False) | {"messages": [*ASK, said, user("And?")]}
        backend.script = [[piece("Half"), b"garbage"]]
        failed = await http.post(CHAT, json=longer)
        assert failed.status_code == 503
        assert int(failed.headers["retry-after"]) >= 1
        assert failed.json()["error"]["code"] == "model_backend_garbled"
        again = (await http.post(CHAT, json=longer)).json()
        assert (again["batos"]["soma"], again["batos"]["turn"]) == (first["batos"]["soma"], 2)


async def test_an_answer_that_breaks_midway_ends_with_an_error(tmp_path: Path, backend) -> None:
    async with running(tmp_path, backend) as stack:
        url = f"http://{stack.addresses['gateway']}/v1"
        async with openai.AsyncOpenAI(base_url=url, api_key="none", max_retries=0) as gpt:
            backend.script = [[piece("Half"), b"garbage"]]
            stream = await gpt.chat.completions.create(model="ROBIN", messages=ASK, stream=True)
            assert (await anext(stream)).choices[0].delta.content == "Half"
            with pytest.raises(openai.APIError) as caught:
                await anext(stream)
        assert caught.value.code == "model_backend_garbled"


async def test_a_full_supervisor_is_429_and_says_when(tmp_path: Path, backend) -> None:
    settings = {"BATOS_SUPERVISOR_TURNS_AT_ONCE": "1"}
    async with running(tmp_path, backend, **settings) as stack, client_of(stack) as http:
        backend.say = silent
        waiting = asyncio.ensure_future(http.post(CHAT, json=body(False)))
        await until(lambda: backend.chats)
        full = await http.post(CHAT, json=body(True))
        assert full.status_code == 429
        assert full.headers["retry-after"] == "1"
        assert full.json()["error"]["type"] == "rate_limit_error"
        ollama = await http.post("/api/chat", json=body(True))
        assert ollama.status_code == 429
        assert isinstance(ollama.json()["error"], str)
        waiting.cancel()


async def test_a_supervisor_that_is_away_is_503_until_it_is_back(tmp_path: Path, backend) -> None:
    async with running(tmp_path, backend) as stack, client_of(stack) as http:
        await stack.processes["supervisor"].kill()
        health = await http.get("/healthz")
        assert (health.status_code, health.json()["serving"]) == (503, False)
        for path in (CHAT, "/api/chat"):
            away = await http.post(path, json=body(True))
            assert away.status_code == 503
            assert int(away.headers["retry-after"]) >= 1
        assert (await http.get("/v1/models")).status_code == 503
        assert (await http.get("/api/version")).status_code == 200
        await stack.restart("supervisor")
        await stack.processes["gateway"].wait_until_serving(10)
        assert (await http.post(CHAT, json=body(False))).status_code == 200


async def test_a_repeated_key_after_a_restart_of_the_gateway(tmp_path: Path, backend) -> None:
    async with running(tmp_path, backend) as stack, client_of(stack) as http:
        asked = body(False) | {"messages": [user("I am Ada."), assistant("Noted."), *ASK]}
        key = {"Idempotency-Key": "across"}
        first = (await http.post(CHAT, json=asked, headers=key)).json()
        await stack.restart("gateway")
        second = (await http.post(CHAT, json=asked, headers=key)).json()
        assert first["batos"] == second["batos"]
        assert len(backend.chats) == 1
        await stack.restart("gateway")
        other = body(False) | {"messages": [user("I am Bob."), assistant("Noted."), *ASK]}
        refused = await http.post(CHAT, json=other, headers=key)
        assert refused.status_code == 400
        assert len(backend.chats) == 1


async def test_told_to_stop_it_finishes_what_it_began(tmp_path: Path, backend) -> None:
    async def slow() -> Lines:
        yield piece("Slow")
        await asyncio.sleep(1)
        yield piece(" but whole.")
        yield last()

    async with running(tmp_path, backend) as stack, client_of(stack) as http:
        backend.say = slow
        waiting = asyncio.ensure_future(http.post(CHAT, json=body(False)))
        await until(lambda: backend.chats)
        await stack.processes["gateway"].stop()
        answer = (await waiting).json()
        assert answer["choices"][0]["message"]["content"] == "Slow but whole."
        assert stack.processes["gateway"].exit_status == 0


async def test_it_shows_its_identity_to_the_supervisor(tmp_path: Path, backend) -> None:
    ours = Certificates(tmp_path / "identities")
    for name in ("supervisor", "gateway"):
        ours.of(name)
    stack = LocalStack(
        tmp_path / "state",
        services=("supervisor", "gateway"),
        identities=ours.root,
        settings={"OLLAMA_HOST": backend.url},
    )
    async with stack, client_of(stack) as http:
        longer = body(False) | {"messages": [user("I am Ada."), assistant("Noted."), *ASK]}
        assert (await http.post(CHAT, json=longer)).json()["batos"]["turn"] == 2
        assert len((await http.get("/api/tags")).json()["models"]) == 4


def run(*arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "services.gateway", *arguments],
        cwd=ROOT,
        env={**os.environ, **settings},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )


def test_it_does_not_listen_where_others_can_hear(tmp_path: Path) -> None:
    ended = run(BATOS_GATEWAY_LISTEN="0.0.0.0:0")
    assert ended.returncode == 1
    assert "PLAINTEXT_REFUSED" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_help_names_every_variable_and_faults_are_told_at_once() -> None:
    told = run("--help").stdout
    for variable in ("LISTEN", "TOKENS", "HOSTS", "MAX_BODY_BYTES", "DRAIN_SECONDS"):
        assert f"BATOS_GATEWAY_{variable} " in told
    faulty = run(BATOS_GATEWAY_MAX_BODY_BYTES="much", BATOS_GATEWAY_CONVERSATIONS="0")
    assert faulty.returncode == 2
    assert "MAX_BODY_BYTES" in faulty.stderr
    assert "CONVERSATIONS" in faulty.stderr
