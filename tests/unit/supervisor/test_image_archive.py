"""The file of an image: what was written comes back, and nothing else passes for it."""

from __future__ import annotations

import random
import tarfile
from datetime import UTC, datetime
from pathlib import Path

import pytest

from services.supervisor.images import archive
from services.supervisor.images.archive import ArchiveWriter
from services.supervisor.images.manifest import FORMAT, ImageFile, ImageModel, Manifest
from shared.errors import DataLoss, FailedPrecondition

FILES = {
    ("memory", "lance/records.lance/data/a.lance"): random.Random(1).randbytes(3000),
    ("memory", "memory.sqlite"): b"SQLite format 3\x00" + bytes(1008),
    ("toolforge", "toolforge.sqlite"): b"",
    ("supervisor", "supervisor.sqlite"): random.Random(2).randbytes(511),
}


def manifest(files: list[ImageFile], **more: object) -> Manifest:
    fields = {
        "format": FORMAT,
        "image": "20261128-000000-abcdef01",
        "request_id": "",
        "note": "before the flood 🌊",
        "created_at": datetime(2026, 11, 28, tzinfo=UTC).isoformat(),
        "freeze_ms": 12.5,
        "schemas": {"memory": 3, "supervisor": 3, "toolforge": 3},
        "models": [ImageModel(tag="starter", digest="abc", included=False)],
        "files": files,
        **more,
    }
    return Manifest(**fields)


@pytest.fixture
def image(tmp_path: Path) -> Path:
    path = tmp_path / "a.batimage"
    writer = ArchiveWriter(path)
    for (service, name), content in FILES.items():
        writer.begin(service, name, len(content))
        for start in range(0, len(content), 700):
            writer.add(content[start : start + 700])
    writer.end()
    writer.seal(manifest(writer.files))
    writer.close()
    return path


def read(path: Path, service: str = "") -> dict[tuple[str, str], bytes]:
    found: dict[tuple[str, str], bytes] = {}
    for piece in archive.contents(path, lambda _: None, service):
        if isinstance(piece, ImageFile):
            last = (piece.service, piece.name)
            found[last] = b""
        else:
            found[last] += piece
    return found


def verified(path: Path) -> Manifest:
    return archive.verify(path, lambda _: None)


def test_what_was_written_comes_back(image):
    assert read(image) == FILES
    assert verified(image) == archive.manifest_of(image)
    assert read(image, "toolforge") == {("toolforge", "toolforge.sqlite"): b""}
    assert image.stat().st_mode & 0o777 == 0o600


def test_it_is_an_archive_that_any_tar_can_read(image):
    with tarfile.open(image) as tar:
        names = [f"{service}/{name}" for service, name in FILES]
        assert tar.getnames() == [*names, "manifest.json", "manifest.sha256"]


def test_progress_ends_at_the_size(image):
    told: list[int] = []
    archive.verify(image, told.append)
    assert told == sorted(told)
    assert told[-1] == image.stat().st_size


def test_any_flipped_byte_is_refused_and_its_part_named(image):
    whole = image.read_bytes()
    positions = random.Random(3).sample(range(len(whole)), 200)
    # And the first and last byte of each block.
    positions += [p for block in range(0, len(whole), 512) for p in (block, block + 511)]
    starts, at = [], 0
    for (service, name), content in FILES.items():
        starts.append((at, f"{service}/{name}"))
        at += 512 + len(content) + -len(content) % 512
    for position in positions:
        damaged = bytearray(whole)
        damaged[position] ^= 1 << (position % 8)
        image.write_bytes(damaged)
        with pytest.raises(DataLoss) as caught:
            verified(image)
        part = [name for start, name in starts if start <= position][-1]
        assert (part if position < at else "manifest") in caught.value.message, position


@pytest.mark.parametrize("kept", [0, 1, 511, 512, 1024, 2047, 2048, 0.3, 0.7, -1, -512, -1024])
def test_a_file_that_is_cut_off_is_refused(image, kept):
    whole = image.read_bytes()
    end = int(len(whole) * kept) if isinstance(kept, float) else kept
    image.write_bytes(whole[:end])
    with pytest.raises(DataLoss):
        verified(image)
    with pytest.raises(DataLoss):
        archive.manifest_of(image)


@pytest.mark.parametrize("more", [b"x", bytes(512), bytes(10240)])
def test_a_file_with_more_behind_it_is_refused(image, more):
    image.write_bytes(image.read_bytes() + more)
    with pytest.raises(DataLoss):
        verified(image)


def test_bytes_that_no_manifest_names_are_refused(tmp_path):
    path = tmp_path / "smuggled.batimage"
    writer = ArchiveWriter(path)
    for name in ("a", "b"):
        writer.begin("memory", name, 1)
        writer.add(b"x")
    writer.end()
    writer.seal(manifest(writer.files[:1]))
    writer.close()
    with pytest.raises(DataLoss):
        verified(path)


def test_a_later_format_says_what_to_do(tmp_path):
    path = tmp_path / "later.batimage"
    writer = ArchiveWriter(path)
    writer.seal(manifest([], format=FORMAT + 1))
    writer.close()
    with pytest.raises(FailedPrecondition, match="newer program") as caught:
        verified(path)
    assert caught.value.reason == "SCHEMA_TOO_NEW"


def test_more_or_fewer_bytes_than_announced_are_no_file(tmp_path):
    writer = ArchiveWriter(tmp_path / "short.batimage")
    writer.begin("memory", "a", 2)
    writer.add(b"x")
    with pytest.raises(DataLoss, match="did not send all of a"):
        writer.end()
    writer = ArchiveWriter(tmp_path / "long.batimage")
    writer.begin("memory", "a", 2)
    with pytest.raises(DataLoss, match="more bytes"):
        writer.add(b"xyz")


def test_a_file_too_large_for_the_format_is_refused(tmp_path):
    writer = ArchiveWriter(tmp_path / "large.batimage")
    with pytest.raises(FailedPrecondition) as caught:
        writer.begin("trainer", "models/a/model.safetensors", 8 << 30)
    assert caught.value.reason == "FILE_TOO_LARGE"
