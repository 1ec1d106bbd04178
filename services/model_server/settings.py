"""Settings of the model server."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, Field
from pydantic_settings import SettingsConfigDict

from services.model_server.duration import parse_keep_alive
from services.model_server.errors import BadRequestError
from shared.settings import DATA_ROOT, ServiceSettings

_STARTER_WEIGHTS = Path(__file__).parent / "starter_model" / "weights"


def _checked(text: str) -> str:
    try:
        parse_keep_alive(text)
    except BadRequestError as error:
        raise ValueError(str(error)) from error
    return text


class ModelServerSettings(ServiceSettings):
    """The embedded model server: Ollama's HTTP API over llama.cpp, on the CPU."""

    model_config = SettingsConfigDict(
        extra="ignore", populate_by_name=True, env_prefix="BATOS_MODEL_SERVER_"
    )

    listen: str = Field("127.0.0.1:11434", description="host:port to serve HTTP on; 0 picks one")
    data_dir: Path = Field(DATA_ROOT / "model_server", description="where models are kept")
    drain_seconds: float = Field(
        1.0, ge=0, le=300, description="how long answers in flight may take after SIGTERM"
    )
    preload_dir: Path = Field(
        _STARTER_WEIGHTS, description="each *.gguf here becomes a tag at the start"
    )
    threads: int = Field(
        0, ge=0, le=256, description="threads per answer; 0: half of the logical CPUs, at most 8"
    )
    context_length: int = Field(
        4096,
        ge=16,
        le=1_048_576,
        validation_alias="OLLAMA_CONTEXT_LENGTH",
        description="context in tokens where a request names none, at most the model's own",
    )
    num_parallel: int = Field(
        4, ge=1, le=64, validation_alias="OLLAMA_NUM_PARALLEL", description="answers per model"
    )
    max_loaded_models: int = Field(
        3,
        ge=1,
        le=64,
        validation_alias="OLLAMA_MAX_LOADED_MODELS",
        description="models in memory at once; the one unused for longest makes room",
    )
    max_queue: int = Field(
        512,
        ge=1,
        le=100_000,
        validation_alias="OLLAMA_MAX_QUEUE",
        description="requests that may wait for a model; more are answered 503",
    )
    keep_alive: Annotated[str, AfterValidator(_checked)] = Field(
        "5m", validation_alias="OLLAMA_KEEP_ALIVE", description="how long an idle model stays"
    )
