"""Runs the sandbox executor: `python -m services.sandbox_executor`."""

import asyncio
import os
import secrets
import shutil
from pathlib import Path

import grpc
from batos.sandbox.v1 import sandbox_pb2, sandbox_pb2_grpc

from services.sandbox_executor import processes
from services.sandbox_executor.executor import Executor
from services.sandbox_executor.job import Limits
from services.sandbox_executor.oci_bundle import GuestBounds
from services.sandbox_executor.pool import PoolBounds
from services.sandbox_executor.protobuf_request import Bounds
from services.sandbox_executor.runsc_runtime import RunscOptions, RunscRuntime
from services.sandbox_executor.servicer import SandboxServicer
from services.sandbox_executor.settings import SandboxSettings
from services.sandbox_executor.state_dir import StateDir
from shared import logs, process
from shared.health import Health
from shared.server import serve
from shared.settings import load

_PROGRAM = "sandbox_executor"
_RUNNER = Path(__file__).resolve().parents[2] / "sandbox" / "runner.py"


async def main(settings: SandboxSettings) -> None:
    """Puts the parts together and serves."""
    processes.adopt_orphans(asyncio.get_running_loop())
    replica_id = secrets.token_hex(4)
    state_dir = StateDir(settings.state_dir, replica_id)
    await asyncio.to_thread(state_dir.open)
    runtime = RunscRuntime(_options(settings), state_dir)
    executor = Executor(runtime, _pool_bounds(settings), replica_id)
    servicer = SandboxServicer(executor, _run_bounds(settings))

    def register(server: grpc.aio.Server) -> None:
        sandbox_pb2_grpc.add_SandboxServiceServicer_to_server(servicer, server)

    async def ready(health: Health) -> None:
        await executor.start(health.set)

    async def drained() -> None:
        await executor.close()

    try:
        await serve(settings, sandbox_pb2.DESCRIPTOR, register, ready=ready, on_drain=drained)
    finally:
        await asyncio.to_thread(state_dir.close)


def _options(settings: SandboxSettings) -> RunscOptions:
    return RunscOptions(
        find=lambda: _find_runsc(settings),
        cache=settings.cache_dir.resolve(),
        bounds=GuestBounds(
            processes=settings.max_processes,
            open_files=settings.open_files,
            scratch_bytes=settings.scratch_bytes,
            file_bytes=settings.file_bytes,
            # A backstop for a guest whose executor has died; runs are stopped long before.
            cpu_seconds=int(settings.max_wall_seconds) + 10,
        ),
        program=_RUNNER.read_text("utf-8"),
        boot_seconds=settings.boot_seconds,
    )


def _find_runsc(settings: SandboxSettings) -> Path | None:
    if settings.runsc_path:
        return settings.runsc_path
    cached = settings.cache_dir.resolve() / "gvisor" / "runsc"
    if os.access(cached, os.X_OK):
        return cached
    on_path = shutil.which("runsc")
    return Path(on_path) if on_path else None


def _pool_bounds(settings: SandboxSettings) -> PoolBounds:
    return PoolBounds(
        size=settings.pool_size,
        running=settings.max_running,
        queued=settings.max_queued,
        booting=settings.max_booting,
    )


def _run_bounds(settings: SandboxSettings) -> Bounds:
    return Bounds(
        default=Limits(
            wall_seconds=settings.wall_seconds,
            cpu_seconds=settings.cpu_seconds,
            memory_bytes=settings.memory_bytes,
            processes=settings.processes,
            output_bytes=settings.output_bytes,
        ),
        most=Limits(
            wall_seconds=settings.max_wall_seconds,
            cpu_seconds=settings.max_wall_seconds,
            memory_bytes=settings.max_memory_bytes,
            processes=settings.max_processes,
            output_bytes=settings.max_output_bytes,
        ),
    )


if __name__ == "__main__":
    loaded = load(SandboxSettings, _PROGRAM)
    logs.configure(_PROGRAM, loaded.log_level, loaded.log_format)
    process.run(_PROGRAM, main(loaded))
