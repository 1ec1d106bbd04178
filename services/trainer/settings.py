"""Settings of the Trainer."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from shared.settings import (
    DATA_ROOT,
    GrpcSettings,
    ModelBackend,
    PromotionGate,
    SandboxPeer,
    SupervisorPeer,
    ToolForgePeer,
)

_BASES = Path(__file__).parents[2] / "deploy" / "bases.toml"


class TrainerSettings(
    GrpcSettings, PromotionGate, SandboxPeer, ToolForgePeer, SupervisorPeer, ModelBackend
):
    """The Trainer: golden examples become a model that proves itself."""

    model_config = SettingsConfigDict(env_prefix="BATOS_TRAINER_")

    listen: str = Field("127.0.0.1:50054", description="host:port to serve gRPC on")
    data_dir: Path = Field(DATA_ROOT / "trainer", description="directory of runs and datasets")
    bases: Path = Field(_BASES, description="catalogue of the bases that fine-tunes start from")
    engine: Literal["trl", "unsloth"] = Field("trl", description="engine of runs that name none")
    export: Literal["merged", "adapter", "gguf"] = Field(
        "merged",
        description="what is made of a run: a whole model, an adapter onto the base's tag, or GGUF",
    )
    quantize: str = Field("q8_0", description="quantisation of created models, as Ollama names it")
    keep_models: int = Field(
        3, ge=1, le=1000, description="models of a persona's successful runs that are kept"
    )
    disk_quota_bytes: int = Field(
        20 << 30, ge=1 << 20, description="most that runs and datasets may take before a run begins"
    )
    lease_ttl_seconds: float = Field(60, ge=5, le=600, description="how long one renewal lasts")
    lease_wait_seconds: float = Field(600, gt=0, description="longest wait for the GPU lease")
    lease_margin_seconds: float = Field(
        2, ge=0, le=60, description="how long before the lease's end the worker is killed"
    )
    heartbeat_seconds: float = Field(
        15, ge=2, description="longest silence of a worker that still counts as alive"
    )
    stall_seconds: float = Field(900, gt=0, description="longest pause between two training steps")
    peer_wait_seconds: float = Field(
        30, ge=0, description="how long a run waits for a service that is away"
    )
    evaluation_parallel: int = Field(4, ge=1, le=64, description="questions asked at once")
    answer_tokens: int = Field(512, ge=16, description="longest answer in an evaluation, in tokens")
    model_seconds: float = Field(180, gt=0, description="longest wait for an answer of the backend")
    create_seconds: float = Field(1800, gt=0, description="longest making of a model")
