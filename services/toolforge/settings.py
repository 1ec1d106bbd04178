"""Settings of ToolForge."""

from pathlib import Path

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from shared.settings import (
    DATA_ROOT,
    GrpcSettings,
    MemoryPeer,
    ModelBackend,
    SandboxPeer,
    SupervisorPeer,
)


class ToolForgeSettings(GrpcSettings, MemoryPeer, SandboxPeer, SupervisorPeer, ModelBackend):
    """ToolForge: a model writes tools, the sandbox tries them, what passes is kept."""

    model_config = SettingsConfigDict(env_prefix="BATOS_TOOLFORGE_")

    listen: str = Field("127.0.0.1:50053", description="host:port to serve gRPC on")
    data_dir: Path = Field(DATA_ROOT / "toolforge", description="directory of the registry")
    width: int = Field(2, ge=1, le=64, description="forges that run at once")
    queue_limit: int = Field(64, ge=0, le=10000, description="forges that may wait for their turn")
    sample_limit: int = Field(
        8, ge=1, le=32, description="most drafts that an attempt may draw side by side"
    )
    quarantine_after: int = Field(
        5, ge=0, le=1000, description="failures in a row that quarantine a tool; 0 means never"
    )
    forge_seconds: float = Field(600, gt=0, description="longest time of one forge")
    model_seconds: float = Field(180, gt=0, description="longest time of one answer of the model")
    serving_seconds: float = Field(
        120, ge=0, description="how long a forge waits while the GPU is lent out"
    )
    model_retries: int = Field(
        2, ge=0, le=10, description="how often a model that is away or breaks off is asked again"
    )
    retry_seconds: float = Field(
        0.5, gt=0, le=60, description="pause before asking again; doubles each time"
    )
    trial_seconds: float = Field(5, gt=0, le=60, description="wall limit of a trial")
    assertion_seconds: float = Field(
        10, gt=0, le=60, description="wall limit of each run of an owner's assertions"
    )
    invoke_seconds: float = Field(10, gt=0, le=60, description="wall limit of an invocation")
    token_limit: int = Field(1024, ge=64, description="most tokens of one answer of the model")
