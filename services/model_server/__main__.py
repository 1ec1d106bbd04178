"""Starts the model server: `python -m services.model_server`."""

from __future__ import annotations

import asyncio
import os
import sys
import time

import structlog

from services.model_server import metrics
from services.model_server.app import build_app
from services.model_server.library import Library
from services.model_server.model_store import ModelStore
from services.model_server.preload import preload
from services.model_server.scheduler import Scheduler
from services.model_server.settings import ModelServerSettings
from services.model_server.workers import Workers
from shared import http_server, telemetry
from shared.errors import FailedPrecondition
from shared.process import die_with_starter
from shared.settings import load

log = structlog.get_logger()

_DISK_THREADS = 8
_STOP_SECONDS = 0.5  # for threads inside llama.cpp, which end at their next token


def main() -> None:
    """Serve until SIGTERM or Ctrl-C, then exit with status 0."""
    die_with_starter()
    settings = load(ModelServerSettings, "python -m services.model_server")
    telemetry.start("model_server", settings)
    try:
        clean = asyncio.run(_serve(settings))
    except FailedPrecondition as error:
        raise SystemExit(error.message) from None
    if not clean:  # a thread is deep in llama.cpp; everything on disk is whole at any time
        sys.stderr.flush()
        os._exit(0)


async def _serve(settings: ModelServerSettings) -> bool:
    """Whether every thread ended in time."""
    listener = http_server.bind(settings)
    disk = Workers(_DISK_THREADS, "disk")
    answers = Workers(settings.max_loaded_models * settings.num_parallel, "answer")
    store = await disk.run(ModelStore, settings.data_dir)
    await disk.run(store.clean_up)
    await disk.run(preload, store, settings.preload_dir)
    scheduler = Scheduler(
        disk, settings.num_parallel, settings.max_loaded_models, settings.max_queue
    )
    metrics.watch(lambda: len(scheduler.loaded()), lambda: scheduler.waiting)
    app = build_app(Library(store, scheduler, disk, answers, settings))
    await http_server.serve(app, listener, settings.drain_seconds)
    deadline = time.monotonic() + _STOP_SECONDS
    await scheduler.close()
    ended = [await workers.stop(deadline) for workers in (answers, disk)]
    log.info("stopped")
    return all(ended)


if __name__ == "__main__":
    main()
