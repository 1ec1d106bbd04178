"""What can be set about the Supervisor."""

from pathlib import Path
from typing import Literal

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from shared.settings import (
    DATA_ROOT,
    GrpcSettings,
    MemoryPeer,
    ModelBackend,
    PromotionGate,
    ToolForgePeer,
    TrainerPeer,
)

_CODEX = Path(__file__).parents[2] / "deploy" / "codex.toml"


class SupervisorSettings(
    GrpcSettings, PromotionGate, MemoryPeer, ToolForgePeer, TrainerPeer, ModelBackend
):
    """The mind and the clock: personas, conversations, the GPU lease and the model swap."""

    model_config = SettingsConfigDict(
        env_prefix="BATOS_SUPERVISOR_", extra="ignore", populate_by_name=True
    )

    listen: str = Field("127.0.0.1:50055", description="host:port to serve gRPC on")
    data_dir: Path = Field(DATA_ROOT / "supervisor", description="directory of the journal")
    codex: Path = Field(_CODEX, description="file that names the personas")
    keep_alive: str = Field(
        "30m", pattern=r"^-?\d+[smh]$", description="how long the backend keeps an idle model"
    )
    answer_tokens: int = Field(512, ge=1, description="longest answer, in tokens")
    images_dir: Path | None = Field(
        None, description="directory of Living Images; without it `images` in the data directory"
    )
    image_every_hours: float = Field(
        0, ge=0, le=24 * 366, description="how often an image is saved by itself; 0 is never"
    )
    image_keep: int = Field(7, ge=1, le=10_000, description="how many of those are kept")
    autolearn_examples: int = Field(
        0, ge=0, description="new golden examples that begin a training run by themselves; 0: never"
    )
    autolearn_runs_per_day: int = Field(2, ge=1, le=100, description="most of those in a day")
    autolearn_idle_minutes: float = Field(
        15.0, gt=0, le=1440, description="how long nobody must have talked before one begins"
    )
    autolearn_busy: float = Field(
        0.5, gt=0, description="highest load average per CPU at which one begins"
    )
    window_tokens: int = Field(
        2400, ge=200, description="longest chat, in tokens, about; older turns are left out"
    )
    recall_seconds: float = Field(2.0, gt=0, le=30, description="longest wait for Memory in a turn")
    tool_search_seconds: float = Field(
        2.0, gt=0, le=30, description="longest wait for ToolForge's tools in a turn"
    )
    tool_rounds: int = Field(
        4, ge=1, le=16, description="how often a turn may call tools before it must answer"
    )
    tool_calls: int = Field(8, ge=1, le=64, description="most calls of tools in a turn")
    tool_seconds: float = Field(60.0, gt=0, le=150, description="longest call of a tool")
    stall_seconds: float = Field(
        60.0, gt=0, description="longest pause between two pieces of an answer, loading included"
    )
    turn_seconds: float = Field(240.0, gt=0, description="longest turn, waiting not included")
    turns_at_once: int = Field(128, ge=1, description="most turns at once, waiting ones included")
    lease_policy: Literal["queue", "cpu", "reject"] = Field(
        "queue", description="what becomes of new turns while the GPU is lent"
    )
    lease_queue_limit: int = Field(64, ge=0, description="most turns that wait for a lent GPU")
    lease_max_wait: float = Field(
        120.0,
        gt=0,
        description="seconds that a turn waits for a lent GPU; then the CPU answers",
    )
    lease_drain_seconds: float = Field(
        120.0, gt=0, description="longest wait of a lease for turns in flight"
    )
    unload_seconds: float = Field(
        30.0, gt=0, description="longest wait of a lease for models to leave the GPU"
    )
