"""Tool calls put together from the fragments in which they stream."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any


@dataclass
class _Call:
    name: str = ""
    arguments: str = ""


class ToolCalls:
    """Fragments carry the index of their call; the arguments come as pieces of JSON text."""

    def __init__(self) -> None:
        self._calls: dict[int, _Call] = {}

    def add(self, fragments: list[dict[str, Any]]) -> None:
        """Take what one chunk brought."""
        for fragment in fragments:
            call = self._calls.setdefault(int(fragment.get("index", 0)), _Call())
            function = fragment.get("function", {})
            call.name += function.get("name") or ""
            call.arguments += function.get("arguments") or ""

    def finished(self) -> list[dict[str, Any]]:
        """The calls in Ollama's form; one whose arguments are no JSON object is left out."""
        calls = []
        for _, call in sorted(self._calls.items()):
            try:
                arguments = json.loads(call.arguments or "{}")
            except ValueError:
                continue
            if isinstance(arguments, dict):
                calls.append({"function": {"name": call.name, "arguments": arguments}})
        return calls
