"""Runs the sandbox executor: `python -m services.sandbox_executor`."""

import asyncio
import os
import secrets
import shutil
from pathlib import Path

import grpc
from batos.sandbox.v1 import sandbox_pb2, sandbox_pb2_grpc

from services.sandbox_executor import processes
from services.sandbox_executor.admission import Admission
from services.sandbox_executor.executor import Executor, Guest
from services.sandbox_executor.memory_budget import MemoryBudget
from services.sandbox_executor.profile import Profile, guest_bounds, profiles
from services.sandbox_executor.runsc_runtime import RunscOptions, RunscRuntime
from services.sandbox_executor.servicer import SandboxServicer
from services.sandbox_executor.session import SessionBounds
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
    kinds = profiles(settings)
    guests = {
        name: Guest(RunscRuntime(_options(settings, kind), state_dir), kind.pool)
        for name, kind in kinds.items()
    }
    admission = Admission(settings.max_running, settings.max_queued, settings.max_sessions)
    executor = Executor(guests, admission, MemoryBudget(settings.total_memory_bytes), replica_id)
    servicer = SandboxServicer(
        executor,
        {name: kind.runs for name, kind in kinds.items()},
        SessionBounds(settings.session_idle_seconds, settings.session_seconds),
    )

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


def _options(settings: SandboxSettings, profile: Profile) -> RunscOptions:
    return RunscOptions(
        find=lambda: _find_runsc(settings),
        cache=settings.cache_dir.resolve(),
        bounds=guest_bounds(settings),
        program=_RUNNER.read_text("utf-8"),
        modules=profile.modules,
        packages=profile.packages,
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


if __name__ == "__main__":
    loaded = load(SandboxSettings, _PROGRAM)
    logs.configure(_PROGRAM, loaded.log_level, loaded.log_format)
    process.run(_PROGRAM, main(loaded))
