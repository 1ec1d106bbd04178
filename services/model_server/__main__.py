"""Starts the model server: `python -m services.model_server`."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import structlog
import uvicorn

from services.model_server import metrics
from services.model_server.app import build_app
from services.model_server.library import Library
from services.model_server.local_callers import is_local
from services.model_server.model_store import ModelStore
from services.model_server.preload import preload
from services.model_server.scheduler import Scheduler
from services.model_server.settings import ModelServerSettings
from services.model_server.workers import Workers
from shared import telemetry
from shared.process import die_with_starter
from shared.settings import load

log = structlog.get_logger()

_DISK_THREADS = 8
_STOP_SECONDS = 0.5  # for threads inside llama.cpp, which end at their next token


class _Uvicorn(uvicorn.Server):
    """Leaves signals to us: uvicorn would raise them again at its end, and exit by them."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def main() -> None:
    """Serve until SIGTERM or Ctrl-C, then exit with status 0."""
    die_with_starter()
    settings = load(ModelServerSettings, "python -m services.model_server")
    telemetry.start("model_server", settings)
    clean = asyncio.run(_serve(settings))
    if not clean:  # a thread is deep in llama.cpp; everything on disk is whole at any time
        sys.stderr.flush()
        os._exit(0)


async def _serve(settings: ModelServerSettings) -> bool:
    """Whether every thread ended in time."""
    listener = _bind(settings)
    disk = Workers(_DISK_THREADS, "disk")
    answers = Workers(settings.max_loaded_models * settings.num_parallel, "answer")
    store = await disk.run(ModelStore, settings.data_dir)
    await disk.run(store.clean_up)
    await disk.run(preload, store, settings.preload_dir)
    scheduler = Scheduler(
        disk, settings.num_parallel, settings.max_loaded_models, settings.max_queue
    )
    metrics.watch(lambda: len(scheduler.loaded()), lambda: scheduler.waiting)
    server = _uvicorn(Library(store, scheduler, disk, answers, settings), settings)
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, _stop, server)
    host, port = listener.getsockname()[:2]
    log.info("serving", address=f"{host}:{port}")
    await server.serve(sockets=[listener])
    deadline = time.monotonic() + _STOP_SECONDS
    await scheduler.close()
    ended = [await workers.stop(deadline) for workers in (answers, disk)]
    log.info("stopped")
    return all(ended)


def _uvicorn(library: Library, settings: ModelServerSettings) -> uvicorn.Server:
    config = uvicorn.Config(
        build_app(library),
        log_config=None,
        access_log=False,
        lifespan="off",
        timeout_graceful_shutdown=max(1, round(settings.drain_seconds)),
        server_header=False,
        http="h11",
        ws="none",
    )
    return _Uvicorn(config)


def _stop(server: uvicorn.Server) -> None:
    log.info("stopping")
    server.should_exit = True


def _bind(settings: ModelServerSettings) -> socket.socket:
    host, _, port = settings.listen.rpartition(":")
    host = host.strip("[]")
    if not settings.allow_plaintext_beyond_loopback and not is_local(host):
        variable = "BATOS_MODEL_SERVER_ALLOW_PLAINTEXT_BEYOND_LOOPBACK"
        raise SystemExit(f"{settings.listen} can be reached by other machines: set {variable}=true")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listener = socket.create_server((host, int(port)), family=family, backlog=128)
    except (OSError, ValueError) as error:
        raise SystemExit(f"cannot listen on {settings.listen}: {error}") from error
    # Accepted sockets inherit it. asyncio sets it only where a socket names its protocol, which
    # these do not; without it each answer but a connection's first waits 40 ms for a delayed ACK.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listener


if __name__ == "__main__":
    main()
