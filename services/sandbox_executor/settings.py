"""Settings of the sandbox executor."""

import os
import tempfile
from pathlib import Path
from typing import Literal

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from services.sandbox_executor import module_archive
from shared.settings import GrpcSettings

_PROJECT = Path(__file__).resolve().parents[2]
_MEBIBYTE = 1 << 20


def _state_dir() -> Path:
    """Short, since sockets live in it, and one per user."""
    return Path(tempfile.gettempdir()) / f"batos-sandbox-{os.geteuid()}"


class SandboxSettings(GrpcSettings):
    """Runs untrusted Python, each time in a fresh gVisor sandbox."""

    model_config = SettingsConfigDict(
        env_prefix="BATOS_SANDBOX_", extra="ignore", populate_by_name=True
    )

    listen: str = Field("127.0.0.1:50052", description="host:port to serve gRPC on")
    cache_dir: Path = Field(
        _PROJECT / ".cache",
        validation_alias="BATOS_CACHE_DIR",
        description="where the installed gVisor and the guest's files are kept",
    )
    runtime: Literal["auto", "runsc", "docker"] = Field(
        "auto", description="what boots sandboxes; auto is runsc where there is one, else docker"
    )
    docker_runtime: str = Field(
        "runsc",
        description="Docker's runtime for sandboxes; runc shares the host's kernel and is weaker",
    )
    runsc_path: Path | None = Field(
        None, description="gVisor's runsc; else the one in the cache, else the one on PATH"
    )
    state_dir: Path = Field(
        default_factory=_state_dir, description="directory for running sandboxes; a short path"
    )
    pool_size: int = Field(2, ge=0, le=64, description="sandboxes kept booted")
    max_running: int = Field(4, ge=1, le=256, description="runs at once")
    max_queued: int = Field(16, ge=0, le=4096, description="runs that may wait for a place")
    max_booting: int = Field(2, ge=1, le=64, description="boots at once")
    boot_seconds: float = Field(20, gt=0, le=300, description="how long a boot may take")
    wall_seconds: float = Field(10, gt=0, description="wall clock of a run that asks for none")
    max_wall_seconds: float = Field(60, gt=0, le=3600, description="longest wall clock of a run")
    cpu_seconds: float = Field(10, gt=0, description="CPU time of a run that asks for none")
    memory_bytes: int = Field(
        256 * _MEBIBYTE, ge=64 * _MEBIBYTE, description="memory of a run that asks for none"
    )
    max_memory_bytes: int = Field(
        1024 * _MEBIBYTE, ge=64 * _MEBIBYTE, description="most memory of a run"
    )
    processes: int = Field(32, ge=1, description="processes and threads of a run by default")
    max_processes: int = Field(64, ge=1, le=1024, description="most processes and threads of a run")
    output_bytes: int = Field(64 * 1024, ge=1, description="printed bytes of a run by default")
    max_output_bytes: int = Field(
        _MEBIBYTE, ge=1, le=2 * _MEBIBYTE, description="most printed bytes of a run"
    )
    open_files: int = Field(64, ge=16, le=4096, description="open files of a run by default")
    max_open_files: int = Field(1024, ge=16, le=4096, description="most open files of a run")
    total_memory_bytes: int = Field(
        1536 * _MEBIBYTE, ge=64 * _MEBIBYTE, description="memory of all runs together"
    )
    cgroups: Literal["auto", "off"] = Field(
        "auto", description="auto: control groups around sandboxes of runsc, where they can be made"
    )
    max_sessions: int = Field(2, ge=0, le=256, description="sessions open at once, of max_running")
    session_idle_seconds: float = Field(
        300, gt=0, le=3600, description="a session ends after so long without a cell"
    )
    session_seconds: float = Field(3600, gt=0, le=3600, description="the longest life of a session")
    preload: tuple[str, ...] = Field(
        module_archive.AHEAD,
        description="modules that every guest imports before it is asked for (a JSON list)",
    )
    data_pool_size: int = Field(1, ge=0, le=64, description="sandboxes of profile data kept booted")
    data_memory_bytes: int = Field(
        512 * _MEBIBYTE, ge=64 * _MEBIBYTE, description="memory of a run of profile data"
    )
    data_preload: tuple[str, ...] = Field(
        ("numpy", "pandas"), description="modules that guests of profile data import ahead, too"
    )
    scratch_bytes: int = Field(
        64 * _MEBIBYTE, ge=_MEBIBYTE, description="all files in a sandbox's /tmp together"
    )
    file_bytes: int = Field(32 * _MEBIBYTE, ge=4096, description="one file in a sandbox's /tmp")
