"""Operator tokens, asked for by a real gateway and managed while it runs; and who did what."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import httpx
import openai
import pytest
import pytest_asyncio

from deploy.local.stack import LocalStack
from services.gateway import audit
from services.gateway.records import opened
from tests.integration.gateway.conftest import SERVICES

ROOT = Path(__file__).parents[3]
ASK = [{"role": "user", "content": "Hello."}]

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(120)]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def guarded(
    models: Path, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[LocalStack]:
    settings = {
        "BATOS_MODEL_SERVER_PRELOAD_DIR": str(models),
        "BATOS_SUPERVISOR_ANSWER_TOKENS": "8",
        "BATOS_GATEWAY_TOKENS": "required",
    }
    directory = tmp_path_factory.mktemp("g")
    async with LocalStack(directory, services=SERVICES, settings=settings) as running:
        yield running


@pytest.fixture
def http(guarded: LocalStack) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=f"http://{guarded.addresses['gateway']}", timeout=60) as client:
        yield client


def manage(stack: LocalStack, *arguments: str, status: int = 0) -> list[dict]:
    done = subprocess.run(
        [sys.executable, "-m", "services.gateway.manage", "--json", *arguments],
        cwd=ROOT,
        env={**os.environ, "BATOS_GATEWAY_DATA_DIR": str(stack.data_dir / "gateway")},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert done.returncode == status, done.stderr
    assert "Traceback" not in done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def made(stack: LocalStack, *scopes: str, **options: str) -> dict:
    flags = [part for scope in scopes for part in ("--scope", scope)]
    flags += [part for name, value in options.items() for part in (f"--{name}", value)]
    (token,) = manage(stack, "create", "a test", *flags)
    return token


def bearer(token: dict) -> dict[str, str]:
    return {"Authorization": f"Bearer {token['secret']}"}


async def test_without_a_good_token_nobody_comes_in(guarded, http):
    for headers in ({}, {"Authorization": "Bearer none"}, {"Authorization": "Bearer batos_wrong"}):
        refused = http.get("/v1/models", headers=headers)
        assert refused.status_code == 401
        assert refused.json()["error"]["code"] == "token_wrong"
    assert http.get("/healthz").status_code == 200


async def test_openai_s_client_comes_in_with_one(guarded):
    token = made(guarded, "chat", "read")
    url = f"http://{guarded.addresses['gateway']}/v1"
    client = openai.OpenAI(base_url=url, api_key=token["secret"], max_retries=0)
    assert "BRICK" in [model.id for model in client.models.list()]
    assert client.chat.completions.create(model="BRICK", messages=ASK).choices
    with pytest.raises(openai.PermissionDeniedError, match="not for embed"):
        client.embeddings.create(model="starter", input="a")


async def test_a_token_is_good_only_for_its_scopes(guarded, http):
    reader = bearer(made(guarded, "read"))
    assert http.get("/api/tags", headers=reader).status_code == 200
    body = {"model": "BRICK", "messages": ASK, "stream": False}
    for path in ("/api/chat", "/v1/chat/completions"):
        assert http.post(path, json=body, headers=reader).status_code == 403


async def test_a_revoked_token_ends_at_once_and_an_expired_one_in_time(guarded, http):
    token, brief = made(guarded, "read"), made(guarded, "read", days="0.00002")
    assert http.get("/v1/models", headers=bearer(token)).status_code == 200
    manage(guarded, "revoke", token["id"])
    manage(guarded, "revoke", token["id"])
    assert http.get("/v1/models", headers=bearer(token)).status_code == 401
    time.sleep(1.8)
    assert http.get("/v1/models", headers=bearer(brief)).status_code == 401
    listed = {each["id"]: each for each in manage(guarded, "list")}
    assert listed[token["id"]]["revoked"] != "never"
    assert listed[brief["id"]]["expires"] != "never"


async def test_secrets_are_not_at_rest(guarded, http):
    token = made(guarded, "read")
    http.get("/v1/models", headers=bearer(token))
    files = (guarded.data_dir / "gateway").glob("gateway.sqlite*")
    everything = b"".join(path.read_bytes() for path in files)
    assert token["id"].encode() in everything
    assert token["secret"].encode() not in everything
    assert token["secret"] not in (guarded.data_dir / "logs" / "gateway.log").read_text()


async def test_who_did_what_is_kept_and_not_what_was_said(guarded, http):
    token = made(guarded, "chat")
    body = {"model": "BRICK", "messages": [{"role": "user", "content": "zebra"}], "stream": False}
    answered = http.post("/api/chat", json=body, headers=bearer(token))
    http.get("/api/tags", headers=bearer(token))
    deeds = manage(guarded, "audit", "--token", token["id"])
    assert [(deed["method"], deed["path"], deed["status"]) for deed in deeds] == [
        ("POST", "/api/chat", 200),
        ("GET", "/api/tags", 403),
    ]
    assert deeds[0]["request_id"] == answered.headers["x-request-id"]
    assert deeds[0]["name"] == "a test"
    assert "zebra" not in json.dumps(manage(guarded, "audit", "--count", "1000"))


async def test_records_outlive_a_kill(guarded, http):
    token = made(guarded, "read")
    http.get("/v1/models", headers=bearer(token))
    await guarded.processes["gateway"].kill()
    await guarded.restart("gateway")
    assert http.get("/v1/models", headers=bearer(token)).status_code == 200
    assert len(manage(guarded, "audit", "--token", token["id"])) == 2


@pytest.mark.parametrize(
    ("arguments", "status"),
    [
        (("create", "x"), 2),
        (("create", "x", "--scope", "everything"), 2),
        (("create", " ", "--scope", "chat"), 1),
        (("create", "x" * 65, "--scope", "chat"), 1),
        (("create", "x", "--scope", "chat", "--days", "-1"), 1),
        (("revoke", "00000000"), 1),
        ((), 2),
    ],
)
async def test_wrong_commands_are_refused_in_words(guarded, arguments, status):
    before = len(manage(guarded, "list"))
    manage(guarded, *arguments, status=status)
    assert len(manage(guarded, "list")) == before


async def test_old_deeds_go(tmp_path):
    async with opened(tmp_path) as database:
        log = audit.AuditLog(database)
        deed = audit.Deed(1.0, "", "", "", "GET", "/", 200, "r")
        await log.note(deed)
        await database.write(
            lambda c: c.execute("UPDATE sqlite_sequence SET seq = 100999 WHERE name = 'audit'")
        )
        await log.note(deed)
    with sqlite3.connect(tmp_path / "gateway.sqlite") as connection:
        assert connection.execute("SELECT number FROM audit").fetchall() == [(101_000,)]
