"""Settings of Memory, from BATOS_MEMORY_* variables."""

from typing import Annotated

from pydantic import BeforeValidator, Field
from pydantic_settings import SettingsConfigDict

from services.memory.wordllama_embedder import Dimension
from shared.settings import GrpcSettings


class MemorySettings(GrpcSettings):
    """Memory: keeps what was said and finds it again."""

    model_config = SettingsConfigDict(env_prefix="BATOS_MEMORY_")

    listen: str = Field(
        "127.0.0.1:50051", description="host:port to serve gRPC on; port 0 picks one"
    )
    embedder_dimension: Annotated[Dimension, BeforeValidator(int)] = Field(
        256, description="length of the built-in embedder's vectors; fixed once memories are kept"
    )
    upkeep_seconds: float = Field(
        10.0, gt=0, le=3600, description="how often new rows are indexed and forgotten ones purged"
    )
