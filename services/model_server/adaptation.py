"""LoRA adapters for a tag: GGUF files as they are, PEFT's folders converted."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path, PurePosixPath

from services.model_server.creation_files import Report, laid_out, named_blobs
from services.model_server.errors import BadRequestError
from services.model_server.lora_export import export_lora
from services.model_server.manifest import Manifest
from services.model_server.model_file import model_file
from services.model_server.model_store import ModelStore
from shared.llama_gguf.errors import BadModelError


def adapted(
    store: ModelStore, manifest: Manifest, files: dict[str, str], report: Report
) -> Manifest:
    """The manifest with these adapters instead of those that it has.

    BadRequestError or BadModelError where they are no adapters, or not for this model.
    """
    blobs = named_blobs(store, files)
    kinds = {PurePosixPath(name).suffix for name in blobs} & {".gguf", ".safetensors"}
    if kinds == {".gguf"}:
        digests = [_checked(store, manifest, digest) for digest in files.values()]
    elif kinds == {".safetensors"}:
        digests = [_converted(store, manifest, blobs, report)]
    else:
        raise BadRequestError("unknown adapter: give GGUF files, or a PEFT directory's files")
    size = sum(store.blobs.path(digest).stat().st_size for digest in digests)
    return replace(manifest, adapter_digests=tuple(digests), adapter_bytes=size)


def _checked(store: ModelStore, manifest: Manifest, digest: str) -> str:
    adapter = model_file(store.blobs.path(digest))
    base = model_file(store.blobs.path(manifest.model_digest))
    if adapter.header.values.get("general.type") != "adapter":
        raise BadModelError("the GGUF file is no adapter")
    if adapter.architecture != base.architecture:
        raise BadModelError(
            f"the adapter is for {adapter.architecture}, the model is {base.architecture}"
        )
    return digest.replace("-", ":")


def _converted(
    store: ModelStore, manifest: Manifest, blobs: dict[str, Path], report: Report
) -> str:
    report("converting adapter")
    base = model_file(store.blobs.path(manifest.model_digest)).header
    with store.workspace() as work:
        export_lora(laid_out(blobs, work / "adapter"), base, work / "adapter.gguf")
        digest = store.blobs.adopt(work / "adapter.gguf")
    report(f"creating new layer {digest}")
    return digest
