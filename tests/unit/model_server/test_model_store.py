"""Blobs and manifests on disk."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

import pytest

from services.model_server.errors import BadRequestError, ModelNotFoundError
from services.model_server.manifest import Manifest, ModelDetails
from services.model_server.model_name import ModelName
from services.model_server.model_store import ModelStore

NAME = ModelName.parse("brick")


@pytest.fixture
def store(tmp_path: Path) -> ModelStore:
    return ModelStore(tmp_path / "store")


def add_blob(store: ModelStore, data: bytes) -> str:
    digest = f"sha256:{hashlib.sha256(data).hexdigest()}"
    with store.blobs.upload() as upload:
        upload.write(data)
        upload.commit(digest)
    return digest


def manifest(digest: str) -> Manifest:
    return Manifest(digest, 3, ModelDetails("llama", "1M", "Q8_0"), parameters={"stop": ["x"]})


def test_what_was_put_is_read_by_another_store(store: ModelStore, tmp_path: Path) -> None:
    made = manifest(add_blob(store, b"one"))
    store.put(NAME, made)
    found = ModelStore(tmp_path / "store").get("brick")
    assert found.manifest == made
    assert found.manifest.digest() == made.digest()
    assert replace(made, system="x").digest() != made.digest()


def test_a_manifest_needs_its_blob(store: ModelStore) -> None:
    with pytest.raises(BadRequestError, match="not found"):
        store.put(NAME, manifest("sha256:" + "0" * 64))
    assert store.models() == []


def test_a_tag_whose_blob_was_lost_is_not_listed(store: ModelStore) -> None:
    digest = add_blob(store, b"one")
    store.put(NAME, manifest(digest))
    store.blobs.path(digest).unlink()
    assert store.models() == []
    with pytest.raises(ModelNotFoundError):
        store.get("brick")


def test_a_damaged_manifest_is_not_listed(store: ModelStore, tmp_path: Path) -> None:
    store.put(NAME, manifest(add_blob(store, b"one")))
    path = tmp_path / "store" / "manifests" / NAME.path()
    path.write_bytes(path.read_bytes()[:-9])
    assert store.models() == []


def test_a_blob_goes_with_its_last_tag(store: ModelStore) -> None:
    digest = add_blob(store, b"one")
    store.put(NAME, manifest(digest))
    store.put(ModelName.parse("robin"), manifest(digest))
    store.delete("brick")
    assert store.blobs.has(digest)
    store.delete("robin")
    assert not store.blobs.has(digest)


def test_replacing_a_tag_drops_its_old_blob(store: ModelStore) -> None:
    old, new = add_blob(store, b"one"), add_blob(store, b"two")
    store.put(NAME, manifest(old))
    store.put(ModelName.parse("BRICK"), manifest(new))
    assert [str(model.name) for model in store.models()] == ["brick:latest"]
    assert not store.blobs.has(old)
    assert store.blobs.has(new)


def test_cleaning_up_keeps_what_tags_need(store: ModelStore) -> None:
    kept, lost = add_blob(store, b"one"), add_blob(store, b"two")
    store.put(NAME, manifest(kept))
    assert store.clean_up() == 1
    assert store.blobs.has(kept)
    assert not store.blobs.has(lost)


def test_an_upload_without_commit_leaves_nothing(store: ModelStore, tmp_path: Path) -> None:
    with store.blobs.upload() as upload:
        upload.write(b"half")
    with store.blobs.upload() as upload:
        upload.write(b"other")
        with pytest.raises(BadRequestError, match="digest mismatch"):
            upload.commit("sha256:" + "0" * 64)
    assert list((tmp_path / "store" / "blobs").iterdir()) == []


@pytest.mark.parametrize("digest", ["", "sha256:", "sha256:../../x", "md5:" + "0" * 64])
def test_a_digest_is_no_path(store: ModelStore, digest: str) -> None:
    with pytest.raises(BadRequestError, match="invalid digest"):
        store.blobs.path(digest)
