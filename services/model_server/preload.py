"""Models that are there from the start: the GGUF files of one directory."""

from __future__ import annotations

import shutil
from pathlib import Path

import structlog

from services.model_server.blob_store import file_digest
from services.model_server.creation import manifest_of
from services.model_server.errors import ModelServerError
from services.model_server.load_check import check_loads
from services.model_server.model_name import ModelName
from services.model_server.model_store import ModelStore
from shared.llama_gguf.errors import BadModelError

log = structlog.get_logger()


def preload(store: ModelStore, directory: Path) -> None:
    """Give each `<name>.gguf` the tag `<name>:latest`, unless the tag already stands for it.

    What cannot be read is logged and left out: the server then answers 404 for it, as for any
    model that is not there.
    """
    files = sorted(directory.glob("*.gguf")) if directory.is_dir() else []
    if not files:
        log.warning("nothing_to_preload", directory=str(directory))
    for path in files:
        try:
            _preload(store, path)
        except (ModelServerError, BadModelError, OSError) as error:
            log.warning("not_preloaded", path=str(path), error=str(error))


def _preload(store: ModelStore, path: Path) -> None:
    name, digest = ModelName.parse(path.stem), file_digest(path)
    current = store.find(name)
    if current and current.manifest.model_digest == digest:
        return
    check_loads(path, template="")
    if not store.blobs.has(digest):
        copy = store.blobs.temporary()
        shutil.copyfile(path, copy)
        store.blobs.adopt(copy)
    store.put(name, manifest_of(store, digest))
    log.info("preloaded", model=str(name), digest=digest)
