"""Images as messages of the contract."""

from pathlib import Path

from batos.supervisor.v1 import supervisor_pb2 as pb

from services.supervisor.images.archive import SUFFIX
from services.supervisor.images.manifest import ImageModel, Manifest
from services.supervisor.images.saving import Progress
from services.supervisor.images.store import COLLECTION
from services.supervisor.proto_messages import duration_message, timestamp_message


def image_message(folder: Path, manifest: Manifest) -> pb.Image:
    """An image as its manifest has it."""
    return pb.Image(
        name=f"{COLLECTION}/{manifest.image}",
        created_at=timestamp_message(manifest.created),
        size_bytes=(folder / f"{manifest.image}{SUFFIX}").stat().st_size,
        parts=[_part(manifest, service) for service in sorted(manifest.schemas)],
        models=[model_message(model) for model in manifest.models],
        freeze=duration_message(manifest.freeze_ms / 1000),
        note=manifest.note,
    )


def model_message(model: ImageModel) -> pb.ImageModel:
    """A model that an image needs."""
    return pb.ImageModel(tag=model.tag, digest=model.digest, included=model.included)


def progress_message(progress: Progress) -> pb.ImageProgress:
    """How far it is."""
    return pb.ImageProgress(
        phase=progress.phase,
        service=progress.service,
        done_bytes=progress.done,
        total_bytes=progress.total,
    )


def _part(manifest: Manifest, service: str) -> pb.ImagePart:
    files = manifest.of(service)
    return pb.ImagePart(
        service=service,
        size_bytes=sum(file.size for file in files),
        file_count=len(files),
        schema=manifest.schemas[service],
    )
