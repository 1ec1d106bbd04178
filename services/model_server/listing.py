"""GET /api/tags, GET /api/ps and POST /api/show."""

from __future__ import annotations

import json
from typing import Any

from services.model_server.answer import timestamp
from services.model_server.library import Library, Opened
from services.model_server.loaded_model import Loaded
from services.model_server.model_store import StoredModel
from services.model_server.requests import ShowRequest

_LONG_LISTS = ("tokenizer.ggml.tokens", "tokenizer.ggml.merges", "tokenizer.ggml.token_type")


async def tags(library: Library) -> dict[str, Any]:
    """All models on disk, the last written first."""
    models = await library.disk.run(library.store.models)
    return {"models": [_tag(model) for model in models]}


def processes(library: Library) -> dict[str, Any]:
    """The models in memory, each once; nothing of them is on a GPU."""
    by_name = {str(x.wanted.model.name): x for x in library.scheduler.loaded()}  # the last to go
    return {"models": [_process(loaded) for loaded in by_name.values()]}


async def show(library: Library, request: ShowRequest) -> dict[str, Any]:
    """Everything about one model; long lists only where `verbose` asks for them."""
    opened = await library.open(request.model)
    manifest = opened.stored.manifest
    values = opened.file.header.values
    info = {key: _shown(key, value, request.verbose) for key, value in values.items()}
    return {
        "license": manifest.license,
        "modelfile": _modelfile(opened),
        "parameters": _parameters(manifest.parameters),
        "template": opened.template,
        "system": manifest.system,
        "details": manifest.details.as_json(),
        "messages": list(manifest.messages),
        "model_info": {**info, "general.parameter_count": opened.file.header.parameters},
        "capabilities": opened.capabilities,
        "modified_at": timestamp(opened.stored.modified_at),
    }


def _tag(model: StoredModel) -> dict[str, Any]:
    return {
        "name": str(model.name),
        "model": str(model.name),
        "modified_at": timestamp(model.modified_at),
        "size": model.manifest.size,
        "digest": model.manifest.digest(),
        "details": model.manifest.details.as_json(),
    }


def _process(loaded: Loaded) -> dict[str, Any]:
    model = loaded.wanted.model
    return {
        "name": str(model.name),
        "model": str(model.name),
        "size": model.manifest.size,
        "digest": model.manifest.digest(),
        "details": model.manifest.details.as_json(),
        "expires_at": timestamp(loaded.expires_at),
        "size_vram": 0,
        "context_length": loaded.wanted.spec.context,
    }


def _shown(key: str, value: Any, verbose: bool | None) -> Any:
    return None if key in _LONG_LISTS and not verbose else value


def _parameters(parameters: dict[str, Any]) -> str:
    """One `name value` a line, a list as several lines, texts quoted."""
    lines = []
    for name, value in sorted(parameters.items()):
        for item in value if isinstance(value, list) else [value]:
            lines.append(f"{name:<30} {json.dumps(item)}")
    return "\n".join(lines)


def _modelfile(opened: Opened) -> str:
    manifest = opened.stored.manifest
    lines = [f"FROM {opened.stored.name}"]
    lines += [f"ADAPTER {digest}" for digest in manifest.adapter_digests]
    if opened.template:
        lines.append(f'TEMPLATE """{opened.template}"""')
    if manifest.system:
        lines.append(f'SYSTEM """{manifest.system}"""')
    lines += [f"PARAMETER {line}" for line in _parameters(manifest.parameters).splitlines()]
    return "\n".join(lines) + "\n"
