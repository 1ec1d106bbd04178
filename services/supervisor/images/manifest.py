"""The manifest of an image: what it holds, as canonical JSON."""

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from shared.errors import DataLoss, FailedPrecondition

FORMAT = 1

_Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
_Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_.@+=/-]{1,1000}$")]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class ImageFile(_Strict):
    """A file of a service; `name` is relative to what the service exports."""

    service: _Name
    name: _Name
    size: int = Field(ge=0)
    sha256: _Sha256

    @property
    def path(self) -> str:
        """Its name in the archive."""
        return f"{self.service}/{self.name}"


class ImageModel(_Strict):
    """A model that a pointer names; `included` where its files are in the image."""

    tag: str
    digest: str
    included: bool


class Manifest(_Strict):
    """What an image holds; files are in the order of the archive."""

    format: int
    image: _Name
    request_id: str  # "" where nobody asked for it
    note: str
    created_at: str
    freeze_ms: float
    schemas: dict[str, int]
    models: list[ImageModel]
    files: list[ImageFile]

    @property
    def created(self) -> datetime:
        """When the cut was made."""
        return datetime.fromisoformat(self.created_at)

    def of(self, service: str) -> Sequence[ImageFile]:
        """The files of one service."""
        return [file for file in self.files if file.service == service]

    def to_json(self) -> bytes:
        """Canonical: sorted keys, no spaces, UTF-8."""
        table = self.model_dump()
        return json.dumps(table, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def read_manifest(text: bytes) -> Manifest:
    """The manifest in this text.

    DataLoss where it is none, FailedPrecondition (SCHEMA_TOO_NEW) for one of a later format.
    """
    try:
        table = json.loads(text)
        if isinstance(table, dict) and isinstance(table.get("format"), int):
            _check_format(table["format"])
        manifest = Manifest.model_validate(table)
        datetime.fromisoformat(manifest.created_at)
    except (ValueError, RecursionError, ValidationError) as error:
        raise DataLoss(f"the manifest is damaged: {str(error).splitlines()[0]}") from None
    return manifest


def _check_format(number: int) -> None:
    if number > FORMAT:
        raise FailedPrecondition(
            f"the image has format {number}, this program knows {FORMAT}; take the newer program",
            reason="SCHEMA_TOO_NEW",
        )
