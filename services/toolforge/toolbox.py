"""Tools that call tools: `from tools import name`, resolved when the caller is run.

What is imported is the current version of an active tool, shipped as a file beside the caller. So
no sandbox needs a way out, a rolled-back tool is rolled back for its callers too, and a tool in
quarantine takes its callers out of use with it.
"""

import ast
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from services.toolforge.registry import Registry
from services.toolforge.sandbox import Program
from services.toolforge.tool import Tool
from shared.errors import FailedPrecondition, NotFound

PACKAGE = "tools"
MAX_DEPTH = 4
MAX_TOOLS = 32


@dataclass(frozen=True)
class Assembly:
    """A program with the tools that it calls, and their versions by name."""

    program: Program
    versions: Mapping[str, str] = field(default_factory=dict)


class Toolbox:
    """Puts programs together out of the registry."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry

    async def assemble(self, name: str, source: str) -> Assembly:
        """The source of the tool `name` with all that it calls, directly or not.

        Raises FailedPrecondition: TOOL_CALL_UNKNOWN where a called tool is not there,
        TOOL_CALL_LOOP where it ends in itself, TOOL_CALLS_TOO_DEEP beyond 4 levels or 32 tools,
        TOOL_QUARANTINED or TOOL_RETIRED where a called tool is out of use.
        """
        found: dict[str, Tool] = {}  # callees before their callers
        for called in called_tools(source):
            await self._collect(called, (name,), found)
        if not found:
            return Assembly(Program(source))
        return Assembly(
            Program(source, _files(found)),
            {tool.name: tool.version for tool in found.values()},
        )

    async def _collect(self, name: str, path: Sequence[str], found: dict[str, Tool]) -> None:
        if name in path:
            chain = " -> ".join([*path, name])
            raise FailedPrecondition(f"tools call each other: {chain}", reason="TOOL_CALL_LOOP")
        if len(path) > MAX_DEPTH or len(found) >= MAX_TOOLS:
            raise FailedPrecondition(
                f"tools may call {MAX_TOOLS} tools over {MAX_DEPTH} levels, and no more",
                reason="TOOL_CALLS_TOO_DEEP",
            )
        if name in found:
            return
        try:
            tool = await self._registry.active(name)
        except NotFound:
            raise FailedPrecondition(
                f"there is no tool {name!r} to call", reason="TOOL_CALL_UNKNOWN"
            ) from None
        for called in called_tools(tool.source):
            await self._collect(called, [*path, name], found)
        found[name] = tool


def called_tools(source: str) -> Sequence[str]:
    """Names that a source imports from `tools`, in order; nothing where it does not parse."""
    try:
        nodes = list(ast.walk(ast.parse(source)))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return []
    names = [
        alias.name
        for node in nodes
        if isinstance(node, ast.ImportFrom) and node.module == PACKAGE and not node.level
        for alias in node.names
    ]
    return list(dict.fromkeys(names))


def _files(tools: Mapping[str, Tool]) -> dict[str, str]:
    """One module per tool, and a package that holds their functions under the tools' names."""
    files = {f"{PACKAGE}/_{name}.py": tool.source for name, tool in tools.items()}
    head = [
        f"from {PACKAGE}._{name} import {tool.entry_point} as {name}\n"
        for name, tool in tools.items()
    ]
    return {f"{PACKAGE}/__init__.py": "".join(head), **files}
