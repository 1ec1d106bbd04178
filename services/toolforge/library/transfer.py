"""Tools out of and into a ToolForge, one after another, each with what became of it."""

import hashlib
import uuid
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

import grpc
from batos.toolforge.v1 import toolforge_pb2 as pb

from services.toolforge.library.folder import Entry, begin, write_entry
from services.toolforge.toolbox import called_tools
from shared.errors import InvalidArgument, NotFound
from shared.rpc_status import from_rpc_error

if TYPE_CHECKING:
    from batos.toolforge.v1.toolforge_pb2_grpc import ToolForgeServiceAsyncStub as Stub


class Became(StrEnum):
    """What became of a tool that was to come in."""

    REGISTERED = "registered"
    UNCHANGED = "unchanged"
    REJECTED = "rejected"


async def export_tools(
    stub: "Stub", target: Path, include_retired: bool
) -> AsyncIterator[tuple[int, int]]:
    """Writes every tool into `target`, which appears whole at the end; yields (done, of all).

    Raises InvalidArgument where `target` is there already.
    """
    partial = begin(target)
    names = [name async for name in _names(stub, include_retired)]
    for done, name in enumerate(names, start=1):
        write_entry(partial, await stub.GetTool(pb.GetToolRequest(name=name)))
        yield done, len(names)
    partial.rename(target)


async def import_tools(
    stub: "Stub", entries: Iterable[Entry]
) -> AsyncIterator[tuple[str, Became, str]]:
    """Registers every entry, callees before their callers; yields (name, what, finding).

    One that is rejected does not keep the others out. Raises BatosError where ToolForge or the
    sandbox is away.
    """
    for entry in in_order({entry.name: entry for entry in entries}):
        try:
            yield entry.name, await _import(stub, entry), ""
        except grpc.aio.AioRpcError as error:
            fault = from_rpc_error(error)
            if fault.reason != "TOOL_REJECTED" and not isinstance(fault, InvalidArgument):
                raise fault from error
            yield entry.name, Became.REJECTED, fault.message


def in_order(entries: Mapping[str, Entry]) -> Sequence[Entry]:
    """Callees before their callers; what calls itself in a circle comes as it comes."""
    ordered: dict[str, Entry] = {}
    waiting = dict(entries)
    while waiting:
        ready = [
            name
            for name, entry in waiting.items()
            if not set(called_tools(entry.source)) & (waiting.keys() - {name})
        ]
        for name in ready or list(waiting):
            ordered[name] = waiting.pop(name)
    return list(ordered.values())


async def _import(stub: "Stub", entry: Entry) -> Became:
    if await _is_there(stub, entry):
        return Became.UNCHANGED
    request = pb.RegisterToolRequest(
        spec=entry.spec, source=entry.source, assertions=entry.assertions
    )
    request.request_id = str(uuid.uuid4())
    await stub.RegisterTool(request)
    if entry.retired is not None:
        await stub.RetireTool(
            pb.RetireToolRequest(
                request_id=str(uuid.uuid4()), name=f"tools/{entry.name}", reason=entry.retired
            )
        )
    return Became.REGISTERED


async def _is_there(stub: "Stub", entry: Entry) -> bool:
    """Whether the current version is this very source with the same spec and tests."""
    try:
        tool = (await stub.GetTool(pb.GetToolRequest(name=f"tools/{entry.name}"))).tool
    except grpc.aio.AioRpcError as error:
        if isinstance(from_rpc_error(error), NotFound | InvalidArgument):
            return False
        raise
    version = hashlib.sha256(entry.source.encode()).hexdigest()
    retired = tool.state == pb.TOOL_STATE_RETIRED
    same_spec = tool.spec == entry.spec or (entry.assertions and not entry.spec.examples)
    return (
        (tool.version, tool.assertions) == (version, entry.assertions)
        and bool(same_spec)
        and retired == (entry.retired is not None)
    )


async def _names(stub: "Stub", include_retired: bool) -> AsyncIterator[str]:
    token = ""
    while True:
        request = pb.ListToolsRequest(page_token=token, include_retired=include_retired)
        page = await stub.ListTools(request)
        for tool in page.tools:
            yield tool.name
        token = page.next_page_token
        if not token:
            return
