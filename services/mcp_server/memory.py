"""Memory as three tools: remember, recall, forget."""

from __future__ import annotations

import json
import uuid
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from batos.memory.v1 import memory_pb2 as pb
from mcp_types import CallToolResult, Tool

from services.mcp_server.peers import Peers, typed
from services.mcp_server.tools import said
from shared.errors import InvalidArgument

_TEXT = {"type": "string", "minLength": 1}
_MOST_HITS = 50


def _tool(name: str, description: str, required: str, **properties: dict[str, Any]) -> Tool:
    schema = {
        "type": "object",
        "properties": properties,
        "required": [required],
        "additionalProperties": False,
    }
    return Tool(name=name, description=description, input_schema=schema)


TOOLS = (
    _tool("remember", "Keep a fact for later conversations.", "text", text=_TEXT),
    _tool(
        "recall",
        "Find what was remembered, by meaning; the best first.",
        "query",
        query=_TEXT,
        limit={"type": "integer", "minimum": 1, "maximum": _MOST_HITS, "default": 10},
    ),
    _tool(
        "forget",
        "Forget memories by their ids, as recall gives them; this cannot be undone.",
        "ids",
        ids={"type": "array", "items": _TEXT, "minItems": 1, "maxItems": 1000},
    ),
)


async def _remember(peers: Peers, arguments: Mapping[str, Any]) -> CallToolResult:
    request_id = str(uuid.uuid4())
    with typed():
        kept = await peers.memory.CreateSummary(
            pb.CreateSummaryRequest(
                request_id=request_id,
                namespace=peers.namespace,
                soma=f"mcp/{request_id}",
                text=_text(arguments, "text"),
            )
        )
    return said(json.dumps({"id": kept.summary.id}))


async def _recall(peers: Peers, arguments: Mapping[str, Any]) -> CallToolResult:
    limit = arguments.get("limit", 10)
    if not isinstance(limit, int) or isinstance(limit, bool) or not 1 <= limit <= _MOST_HITS:
        raise InvalidArgument.of_field("limit", f"a whole number from 1 to {_MOST_HITS}")
    with typed():
        found = await peers.memory.Search(
            pb.SearchRequest(
                namespace=peers.namespace,
                query=_text(arguments, "query"),
                limit=limit,
                level=pb.LEVEL_SUMMARY,
            )
        )
    rows = [
        {"id": hit.record.id, "text": hit.record.text, "score": round(hit.score, 3)}
        for hit in found.hits
    ]
    return said(json.dumps(rows, ensure_ascii=False))


async def _forget(peers: Peers, arguments: Mapping[str, Any]) -> CallToolResult:
    ids = arguments.get("ids")
    if not isinstance(ids, list) or not ids or not all(isinstance(each, str) for each in ids):
        raise InvalidArgument.of_field("ids", "a list of ids")
    with typed():
        done = await peers.memory.Forget(
            pb.ForgetRequest(
                request_id=str(uuid.uuid4()),
                namespace=peers.namespace,
                ids=pb.RecordIds(ids=ids),
            )
        )
    told = {"forgotten": done.forgotten_count, "images_that_still_hold_it": list(done.images)}
    return said(json.dumps(told))


def _text(arguments: Mapping[str, Any], name: str) -> str:
    value = arguments.get(name)
    if not isinstance(value, str) or not value.strip():
        raise InvalidArgument.of_field(name, "a text that is not empty")
    return value


CALLS: Mapping[str, Callable[[Peers, Mapping[str, Any]], Awaitable[CallToolResult]]] = {
    "remember": _remember,
    "recall": _recall,
    "forget": _forget,
}
