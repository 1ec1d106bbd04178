"""What can be set about the MCP server."""

from __future__ import annotations

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from shared.settings import (
    Identified,
    MemoryPeer,
    ServiceSettings,
    SupervisorPeer,
    ToolForgePeer,
)


class McpSettings(ServiceSettings, Identified, MemoryPeer, ToolForgePeer, SupervisorPeer):
    """Tools, memory, Somas and personas for clients of the Model Context Protocol."""

    model_config = SettingsConfigDict(
        env_prefix="BATOS_MCP_", extra="ignore", populate_by_name=True
    )

    listen: str = Field(
        "127.0.0.1:8090", description="loopback address to serve streamable HTTP on; 0 picks a port"
    )
    namespace: str = Field(
        "mcp", min_length=1, description="namespace of Memory for remember, recall and forget"
    )
