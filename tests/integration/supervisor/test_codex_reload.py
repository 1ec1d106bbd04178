"""The Codex is taken anew while the Supervisor serves, whole or not at all."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from batos.supervisor.v1 import supervisor_pb2 as pb

from shared.errors import NotFound
from tests.integration.supervisor.client import Client, refused

CODEX = """
[personas.ROBIN]
system_prompt = "You are ROBIN, the companion."
model = "starter"
base_model = "starter"
toolsmith = true
"""
ANOTHER = """
[personas.PENNY]
system_prompt = "You are PENNY, the treasurer."
model = "starter"
base_model = "starter"
options = { num_ctx = 1024, top_p = 0.5 }
"""


async def told(client: Client, kind: int) -> str:
    """The message of the first event of a kind."""
    async with asyncio.timeout(10):
        async for response in client.stub.WatchEvents(pb.WatchEventsRequest()):
            if response.event.kind == kind:
                return response.event.message
    raise AssertionError("the watch ended")


async def persona(client: Client, name: str) -> pb.Persona:
    return (await client.call("GetPersona", pb.GetPersonaRequest(name=name))).persona


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "codex.toml"
    path.write_text(CODEX)
    return path


async def test_a_changed_codex_is_taken_without_a_restart(supervise, backend, file):
    client = await supervise(ollama=backend.url, codex=file)
    soma = (await client.say("Hello.")).soma
    assert isinstance(await refused(persona(client, "PENNY")), NotFound)
    replacement = file.with_name("edited.toml")  # as editors do: written beside, then renamed
    replacement.write_text(CODEX.replace("the companion", "the pilot") + ANOTHER)
    replacement.rename(file)
    assert "PENNY, ROBIN" in await told(client, pb.EVENT_KIND_CODEX_CHANGED)
    assert (await persona(client, "ROBIN")).system_prompt == "You are ROBIN, the pilot."
    assert dict((await persona(client, "PENNY")).options) == {"num_ctx": 1024, "top_p": 0.5}
    await client.say("Hello.", persona="PENNY")
    assert backend.chats[-1]["options"]["num_ctx"] == 1024
    assert backend.chats[-1]["options"]["top_p"] == 0.5
    assert (await client.say("And now?", soma=soma)).turn.number == 2
    assert "the pilot" in backend.chats[-1]["messages"][0]["content"]


async def test_an_invalid_codex_is_refused_whole_with_the_line(supervise, backend, file):
    client = await supervise(ollama=backend.url, codex=file)
    file.write_text(CODEX.replace("the companion", "the pilot") + ANOTHER.replace("0.5", "1.5"))
    message = await told(client, pb.EVENT_KIND_CODEX_REFUSED)
    assert "line 12" in message
    assert "top_p" in message
    assert (await persona(client, "ROBIN")).system_prompt == "You are ROBIN, the companion."
    assert isinstance(await refused(persona(client, "PENNY")), NotFound)
    file.unlink()
    await asyncio.sleep(1.5)
    await client.say("Hello.")
    file.write_text(CODEX + ANOTHER)
    await told(client, pb.EVENT_KIND_CODEX_CHANGED)
    assert (await persona(client, "PENNY")).name == "PENNY"
