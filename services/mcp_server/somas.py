"""Somas as resources, and personas as prompts."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator

from batos.supervisor.v1 import supervisor_pb2 as pb
from mcp_types import (
    GetPromptResult,
    ListResourcesResult,
    Prompt,
    PromptArgument,
    PromptMessage,
    ReadResourceResult,
    Resource,
    TextContent,
    TextResourceContents,
)

from services.mcp_server.peers import Peers, typed
from shared.errors import NotFound

SCHEME = "batos://"
_JSON = "application/json"
_PAGE = 100


async def listed(peers: Peers, cursor: str) -> ListResourcesResult:
    """A page of Somas."""
    with typed():
        page = await peers.supervisor.ListSomas(
            pb.ListSomasRequest(page_size=_PAGE, page_token=cursor)
        )
    resources = [
        Resource(
            uri=f"{SCHEME}{soma.name}",
            name=soma.name,
            title=f"{soma.persona}, {soma.created_at.ToDatetime():%Y-%m-%d %H:%M}",
            mime_type=_JSON,
        )
        for soma in page.somas
    ]
    return ListResourcesResult(resources=resources, next_cursor=page.next_page_token or None)


async def read(peers: Peers, uri: str) -> ReadResourceResult:
    """A conversation as JSON: who speaks, and all turns."""
    if not uri.startswith(f"{SCHEME}somas/"):
        raise NotFound(f"there is no resource {uri}", reason="RESOURCE_NOT_FOUND")
    name, turns, token = uri.removeprefix(SCHEME), [], ""
    while True:
        with typed():
            page = await peers.supervisor.GetSoma(pb.GetSomaRequest(name=name, page_token=token))
        turns += [{"user": t.user_text, "assistant": t.assistant_text} for t in page.soma.turns]
        if not (token := page.next_page_token):
            break
    text = json.dumps({"persona": page.soma.persona, "turns": turns}, ensure_ascii=False)
    return ReadResourceResult(contents=[TextResourceContents(uri=uri, mime_type=_JSON, text=text)])


async def prompts(peers: Peers) -> list[Prompt]:
    """One for each persona."""
    asked = PromptArgument(name="text", description="What to say to it", required=False)
    return [
        Prompt(name=persona.name, description=f"Speak as {persona.name}.", arguments=[asked])
        async for persona in _personas(peers)
    ]


async def prompt(peers: Peers, name: str, text: str) -> GetPromptResult:
    """What makes a model speak as a persona; the protocol knows no system messages."""
    async for persona in _personas(peers):
        if persona.name == name:
            words = f"{persona.system_prompt}\n\n{text}".strip()
            content = TextContent(type="text", text=words)
            return GetPromptResult(messages=[PromptMessage(role="user", content=content)])
    raise NotFound(f"there is no persona {name}", reason="PERSONA_NOT_FOUND")


async def _personas(peers: Peers) -> AsyncIterator[pb.Persona]:
    with typed():
        known = await peers.supervisor.ListPersonas(pb.ListPersonasRequest())
    for persona in known.personas:
        yield persona
