"""The services behind the MCP server, and their errors in its words."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass

import grpc
from batos.memory.v1 import memory_pb2_grpc
from batos.supervisor.v1 import supervisor_pb2_grpc
from batos.toolforge.v1 import toolforge_pb2_grpc
from mcp.shared.exceptions import MCPError
from mcp_types import INTERNAL_ERROR, INVALID_PARAMS

from services.mcp_server.settings import McpSettings
from shared.channel import open_channel
from shared.errors import BatosError, InvalidArgument, NotFound
from shared.rpc_status import from_rpc_error


@dataclass(frozen=True)
class Peers:
    """Whom the MCP server asks; `namespace` is of Memory."""

    memory: memory_pb2_grpc.MemoryServiceAsyncStub
    toolforge: toolforge_pb2_grpc.ToolForgeServiceAsyncStub
    supervisor: supervisor_pb2_grpc.SupervisorServiceAsyncStub
    namespace: str


@asynccontextmanager
async def opened(settings: McpSettings) -> AsyncIterator[Peers]:
    """Channels to all of them, for the time of the context."""
    async with (
        open_channel(settings.memory_address, settings.tls_dir) as memory,
        open_channel(settings.toolforge_address, settings.tls_dir) as toolforge,
        open_channel(settings.supervisor_address, settings.tls_dir) as supervisor,
    ):
        yield Peers(
            memory_pb2_grpc.MemoryServiceStub(memory),
            toolforge_pb2_grpc.ToolForgeServiceStub(toolforge),
            supervisor_pb2_grpc.SupervisorServiceStub(supervisor),
            settings.namespace,
        )


@contextmanager
def typed() -> Iterator[None]:
    """Errors of gRPC as BatosError."""
    try:
        yield
    except grpc.aio.AioRpcError as error:
        raise from_rpc_error(error) from error


@contextmanager
def in_protocol() -> Iterator[None]:
    """Errors of a service as errors of the protocol, with their reason as data."""
    try:
        with typed():
            yield
    except BatosError as error:
        told = isinstance(error, (InvalidArgument, NotFound))
        code = INVALID_PARAMS if told else INTERNAL_ERROR
        raise MCPError(code, error.message, {"reason": error.reason}) from error
