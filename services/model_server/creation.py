"""POST /api/create: a new tag from uploaded files or from another tag.

Every step runs in a thread and tells its status through a callback. Nothing of a creation that
fails or is killed can be seen: the manifest is written last, in one step.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import Any

from services.model_server.adaptation import adapted
from services.model_server.creation_files import Report, laid_out, named_blobs
from services.model_server.errors import BadRequestError
from services.model_server.gguf_requantize import requantize_gguf
from services.model_server.go_template import go_template, is_go_template
from services.model_server.load_check import check_loads
from services.model_server.manifest import Manifest
from services.model_server.model_details import describe
from services.model_server.model_file import model_file
from services.model_server.model_name import ModelName
from services.model_server.model_store import ModelStore
from services.model_server.options import check
from services.model_server.requests import CreateRequest
from shared.llama_gguf.errors import BadModelError
from shared.llama_gguf.export import export_gguf, half_precision
from shared.llama_gguf.tensor_types import quantization


def create(store: ModelStore, request: CreateRequest, report: Report) -> None:
    """Make the tag; BadRequestError, BadModelError or ModelNotFoundError where it cannot be."""
    if not request.model:
        raise BadRequestError("model is required")
    name = ModelName.parse(request.model)
    changes = _changes(request)  # first, so that a wrong one fails before any step
    manifest = replace(_base(store, request, report), **changes)
    if request.adapters:
        manifest = adapted(store, manifest, request.adapters, report)
    if not request.from_ or request.template or request.adapters:
        _check_works(store, manifest)
    report("writing manifest")
    store.put(name, manifest)
    report("success")


def _check_works(store: ModelStore, manifest: Manifest) -> None:
    template = manifest.template
    if is_go_template(template):
        go_template(template).render([{"role": "user", "content": "a"}])
        template = ""
    model, *adapters = map(store.blobs.path, manifest.blobs)
    check_loads(model, template, adapters)


def _base(store: ModelStore, request: CreateRequest, report: Report) -> Manifest:
    if request.from_:
        parent = store.get(request.from_)
        _check_quantizable(parent.manifest, request.quantize)
        report(f"using existing layer {parent.manifest.model_digest}")
        child = parent.manifest.child_of(str(parent.name))
        return requantized(store, child, request.quantize, report) if request.quantize else child
    if request.files is None:
        raise BadRequestError("neither 'from' or 'files' was specified")
    if not request.files:
        raise BadRequestError("no files provided to convert")
    return _from_files(store, request.files, request.quantize, report)


def _changes(request: CreateRequest) -> dict[str, Any]:
    """The texts and parameters that the request sets; what it leaves out stays."""
    licenses = [request.license] if isinstance(request.license, str) else request.license
    messages = request.messages and tuple(
        {"role": message.role, "content": message.content or ""} for message in request.messages
    )
    found = {
        "template": request.template,
        "system": request.system,
        "license": "\n".join(licenses) if licenses else None,
        "parameters": check(request.parameters) if request.parameters else None,
        "messages": messages or None,
    }
    return {name: value for name, value in found.items() if value is not None}


def _from_files(
    store: ModelStore, files: dict[str, str], quantize: str | None, report: Report
) -> Manifest:
    blobs = named_blobs(store, files)
    kinds = {PurePosixPath(name).suffix for name in blobs} & {".gguf", ".safetensors"}
    if kinds == {".gguf"} and len(blobs) == 1:
        manifest = manifest_of(store, next(iter(files.values())))
        _check_quantizable(manifest, quantize)
        report("parsing GGUF")
        return requantized(store, manifest, quantize, report) if quantize else manifest
    if kinds == {".safetensors"}:
        return manifest_of(store, _convert(store, blobs, quantize, report))
    raise BadModelError("unknown type: give one GGUF file or a directory with safetensors files")


def _convert(
    store: ModelStore, blobs: dict[str, Path], quantize: str | None, report: Report
) -> str:
    report("converting model")
    with store.workspace() as work:
        source = laid_out(blobs, work / "model")
        kind = (quantize or half_precision(source)).lower()
        if quantize:
            report(f"quantizing model to {kind.upper()}")
        export_gguf(source, work / "model.gguf", kind)
        digest = store.blobs.adopt(work / "model.gguf")
    report(f"creating new layer {digest}")
    return digest


def _check_quantizable(manifest: Manifest, quantize: str | None) -> None:
    if quantize is None:
        return
    quantization(quantize)
    if manifest.details.quantization_level not in ("F16", "BF16", "F32"):
        raise BadRequestError("quantization is only supported for F16, BF16 and F32 models")


def requantized(store: ModelStore, manifest: Manifest, quantize: str, report: Report) -> Manifest:
    """The same model with its weights in another quantisation."""
    report(f"quantizing {manifest.details.quantization_level} model to {quantize.upper()}")
    with store.workspace() as work:
        requantize_gguf(store.blobs.path(manifest.model_digest), work / "model.gguf", quantize)
        digest = store.blobs.adopt(work / "model.gguf")
    report(f"creating new layer {digest}")
    made = manifest_of(store, digest)
    details = replace(made.details, parent_model=manifest.details.parent_model)
    return replace(manifest, model_digest=digest, model_bytes=made.model_bytes, details=details)


def manifest_of(store: ModelStore, digest: str) -> Manifest:
    """A plain manifest for a GGUF blob; BadModelError where it is none."""
    path = store.blobs.existing(digest)
    return Manifest(
        model_digest=digest.replace("-", ":"),
        model_bytes=path.stat().st_size,
        details=describe(model_file(path).header),
    )
