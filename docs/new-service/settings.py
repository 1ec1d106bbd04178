"""Settings of the Guestbook, from BATOS_GUESTBOOK_* variables."""

from pathlib import Path

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from shared.settings import DATA_ROOT, GrpcSettings


class GuestbookSettings(GrpcSettings):
    """The Guestbook: keeps who was here."""

    model_config = SettingsConfigDict(env_prefix="BATOS_GUESTBOOK_")

    listen: str = Field("127.0.0.1:50059", description="host:port to serve gRPC on")
    data_dir: Path = Field(DATA_ROOT / "guestbook", description="directory of the book")
