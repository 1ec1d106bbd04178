"""What can be set about the gateway."""

from pathlib import Path
from typing import Literal

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from shared.settings import DATA_ROOT, Identified, ModelBackend, ServiceSettings, SupervisorPeer


class GatewaySettings(ServiceSettings, Identified, SupervisorPeer, ModelBackend):
    """The door for programs that speak OpenAI's or Ollama's HTTP API: personas as models."""

    model_config = SettingsConfigDict(
        env_prefix="BATOS_GATEWAY_", extra="ignore", populate_by_name=True
    )

    listen: str = Field("127.0.0.1:8080", description="host:port to serve HTTP on; 0 picks one")
    data_dir: Path = Field(
        DATA_ROOT / "gateway", description="directory of operator tokens and of who did what"
    )
    tokens: Literal["off", "required"] = Field(
        "off", description="whether callers must show an operator token"
    )
    hosts: str = Field(
        "",
        description="names, with commas, by which the gateway may be addressed and whose pages may "
        "call it, besides localhost and plain addresses",
    )
    max_body_bytes: int = Field(
        4 * 1024 * 1024, ge=1024, le=64 * 1024 * 1024, description="longest body of a request"
    )
    conversations: int = Field(
        10_000,
        ge=1,
        le=1_000_000,
        description="conversations that are recognised by their history; the oldest go first",
    )
