"""Settings of Memory, from BATOS_MEMORY_* variables."""

from typing import Annotated

from pydantic import AfterValidator, Field
from pydantic_settings import SettingsConfigDict

from services.memory.embedders import check_name
from shared.errors import InvalidArgument
from shared.settings import GrpcSettings, ModelBackend


def _known(name: str) -> str:
    try:
        return name and check_name(name)
    except InvalidArgument as error:
        raise ValueError(str(error)) from None


class MemorySettings(GrpcSettings, ModelBackend):
    """Memory: keeps what was said and finds it again."""

    model_config = SettingsConfigDict(env_prefix="BATOS_MEMORY_")

    listen: str = Field(
        "127.0.0.1:50051", description="host:port to serve gRPC on; port 0 picks one"
    )
    embedder: Annotated[str, AfterValidator(_known)] = Field(
        "",
        description="wordllama-256, -128 or -64, or ollama/<model>; empty means the one that made "
        "the memories, at first wordllama-256. Another one refuses to start: see Reembed",
    )
    upkeep_seconds: float = Field(
        10.0, gt=0, le=3600, description="how often new rows are indexed and forgotten ones purged"
    )
