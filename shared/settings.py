"""Settings from the environment; every fault is reported at once, in words."""

import argparse
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Literal, TypeVar

from pydantic import Field, ValidationError
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, SettingsConfigDict

from shared.promotion import PromotionPolicy

_POLICY = PromotionPolicy()
DATA_ROOT = Path.home() / ".local/share/batos"


class ServiceSettings(BaseSettings):
    """What every service needs; a service adds its own fields and an `env_prefix`."""

    model_config = SettingsConfigDict(extra="ignore", populate_by_name=True)

    listen: str = Field("127.0.0.1:0", description="host:port to serve gRPC on; port 0 picks one")
    data_dir: Path = Field(DATA_ROOT, description="directory for everything that is kept")
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field(
        "INFO", description="least severe level that is logged"
    )
    log_format: Literal["console", "json"] = Field("console", description="console or json")
    metrics_listen: str = Field(
        "", description="host:port to serve Prometheus metrics on; empty is nowhere"
    )
    otlp_endpoint: str = Field(
        "",
        validation_alias="OTEL_EXPORTER_OTLP_ENDPOINT",
        description="collector of traces, such as http://127.0.0.1:4317; empty is none",
    )
    drain_seconds: float = Field(
        5.0, ge=0, le=300, description="how long calls in flight may take after SIGTERM"
    )
    allow_plaintext_beyond_loopback: bool = Field(
        False, description="serve without TLS on an address that other machines can reach"
    )


class Identified(BaseSettings):
    """Adds the process's own identity."""

    tls_dir: Path | None = Field(
        None,
        validation_alias="BATOS_TLS_DIR",
        description="directory with identity.pem and authority.pem; without it there is no TLS",
    )


class GrpcSettings(ServiceSettings, Identified):
    """What a service that serves gRPC needs besides."""

    max_calls: int = Field(
        1024, ge=1, le=100_000, description="calls at once, streams included; more are refused"
    )
    connection_age_seconds: float = Field(
        0,
        ge=0,
        le=86400,
        description="when clients are asked to connect anew, so that they find new replicas; "
        "0 is never",
    )


class MemoryPeer(BaseSettings):
    """Adds the address of Memory."""

    memory_address: str = Field(
        "127.0.0.1:50051", validation_alias="BATOS_MEMORY_ADDRESS", description="Memory"
    )


class SandboxPeer(BaseSettings):
    """Adds the address of the Sandbox-executor."""

    sandbox_address: str = Field(
        "127.0.0.1:50052", validation_alias="BATOS_SANDBOX_ADDRESS", description="Sandbox-executor"
    )


class ToolForgePeer(BaseSettings):
    """Adds the address of ToolForge."""

    toolforge_address: str = Field(
        "127.0.0.1:50053", validation_alias="BATOS_TOOLFORGE_ADDRESS", description="ToolForge"
    )


class TrainerPeer(BaseSettings):
    """Adds the address of the Trainer."""

    trainer_address: str = Field(
        "127.0.0.1:50054", validation_alias="BATOS_TRAINER_ADDRESS", description="Trainer"
    )


class SupervisorPeer(BaseSettings):
    """Adds the address of the Supervisor."""

    supervisor_address: str = Field(
        "127.0.0.1:50055", validation_alias="BATOS_SUPERVISOR_ADDRESS", description="Supervisor"
    )


class ModelBackend(BaseSettings):
    """Adds the address of Ollama, or of whatever speaks its API."""

    ollama_host: str = Field(
        "http://127.0.0.1:11434",
        validation_alias="OLLAMA_HOST",
        description="model backend: Ollama's HTTP API",
    )


class PromotionGate(BaseSettings):
    """Adds what a new model must reach; Trainer and Supervisor judge by the same figures."""

    minimum_heldout: int = Field(
        _POLICY.minimum_heldout, ge=1, description="fewest held-out examples of a swap"
    )
    minimum_improvement: float = Field(
        _POLICY.minimum_improvement, ge=0, le=1, description="least gain of a swap (lower bound)"
    )
    regression_tolerance: float = Field(
        _POLICY.regression_tolerance, ge=0, le=1, description="largest loss of a swap elsewhere"
    )

    @property
    def promotion_policy(self) -> PromotionPolicy:
        """What a new model must reach."""
        return PromotionPolicy(
            self.minimum_heldout, self.minimum_improvement, self.regression_tolerance
        )


S = TypeVar("S", bound=BaseSettings)


def load(cls: type[S], program: str, argv: Sequence[str] | None = None) -> S:
    """Reads the settings of a service, answering `--help` with all variables.

    On faults every one is printed and the process exits with status 2.
    """
    parser = argparse.ArgumentParser(
        prog=program,
        description=(cls.__doc__ or "").strip(),
        epilog="environment variables:\n" + "\n".join(_help_lines(cls)),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.parse_args(argv)
    try:
        return cls()
    except ValidationError as error:
        lines = "".join(f"  {line}\n" for line in _fault_lines(cls, error))
        sys.stderr.write(f"{program}: the settings have faults:\n{lines}")
        raise SystemExit(2) from None


def variable(cls: type[BaseSettings], name: str, field: FieldInfo) -> str:
    """The environment variable that sets a field."""
    if isinstance(field.validation_alias, str):
        return field.validation_alias
    return f"{cls.model_config.get('env_prefix', '')}{name}".upper()


def _help_lines(cls: type[BaseSettings]) -> Iterator[str]:
    for name, field in cls.model_fields.items():
        default = field.get_default(call_default_factory=True, validated_data={})
        yield f"  {variable(cls, name, field)}  {field.description or ''} [{default}]"


def _fault_lines(cls: type[BaseSettings], error: ValidationError) -> Iterator[str]:
    names = {name: variable(cls, name, field) for name, field in cls.model_fields.items()}
    for fault in error.errors():
        head = str(fault["loc"][0]) if fault["loc"] else "settings"
        yield f"{names.get(head, head)}: {fault['msg']} (got {fault.get('input')!r})"
