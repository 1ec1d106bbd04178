"""Runs the sandbox executor: `python -m services.sandbox_executor`."""

import asyncio
import secrets

import grpc
from batos.sandbox.v1 import sandbox_pb2, sandbox_pb2_grpc

from services.sandbox_executor import metrics, processes
from services.sandbox_executor.admission import Admission
from services.sandbox_executor.executor import Executor, Guest
from services.sandbox_executor.memory_budget import MemoryBudget
from services.sandbox_executor.profile import profiles
from services.sandbox_executor.runtime_choice import RuntimeChoice
from services.sandbox_executor.servicer import SandboxServicer
from services.sandbox_executor.session import SessionBounds
from services.sandbox_executor.settings import SandboxSettings
from services.sandbox_executor.state_dir import StateDir
from shared import process, telemetry
from shared.health import Health
from shared.server import serve
from shared.settings import load

_PROGRAM = "sandbox_executor"


async def main(settings: SandboxSettings) -> None:
    """Puts the parts together and serves."""
    processes.adopt_orphans(asyncio.get_running_loop())
    replica_id = secrets.token_hex(4)
    state_dir = StateDir(settings.state_dir, replica_id)
    await asyncio.to_thread(state_dir.open)
    kinds = profiles(settings)
    choice = RuntimeChoice(settings, state_dir, replica_id)
    name = await asyncio.to_thread(choice.name)
    groups = await asyncio.to_thread(choice.cgroups, name)
    guests = {kind: Guest(choice.runtime(name, it, groups), it.pool) for kind, it in kinds.items()}
    admission = Admission(settings.max_running, settings.max_queued, settings.max_sessions)
    executor = Executor(guests, admission, MemoryBudget(settings.total_memory_bytes), replica_id)
    metrics.watch(executor.capacity)
    servicer = SandboxServicer(
        executor,
        {kind: it.runs for kind, it in kinds.items()},
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
        if groups:
            await asyncio.to_thread(groups.close)


if __name__ == "__main__":
    loaded = load(SandboxSettings, _PROGRAM)
    telemetry.start(_PROGRAM, loaded)
    process.run(_PROGRAM, main(loaded))
