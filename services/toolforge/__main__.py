"""`python -m services.toolforge`: settings → adapters → servicer → serve."""

import asyncio
from contextlib import AsyncExitStack

from batos.toolforge.v1 import toolforge_pb2
from batos.toolforge.v1.toolforge_pb2_grpc import add_ToolForgeServiceServicer_to_server

from services.toolforge import sqlite_forge_rows, sqlite_registry
from services.toolforge.bell import Bell
from services.toolforge.forges import Forges
from services.toolforge.forging import Forging, Patience
from services.toolforge.grpc_personas import GrpcPersonas
from services.toolforge.grpc_sandbox import GrpcSandbox
from services.toolforge.memory_index import MemoryIndex
from services.toolforge.ollama_drafter import OllamaDrafter
from services.toolforge.registration import Registration
from services.toolforge.servicer import ToolForgeServicer
from services.toolforge.settings import ToolForgeSettings
from services.toolforge.sqlite_forges import SqliteForges
from services.toolforge.sqlite_registry import SqliteRegistry
from services.toolforge.sqlite_trajectories import SqliteTrajectories
from services.toolforge.tool_search import ToolSearch
from shared import logs, process
from shared.channel import open_channel
from shared.directory_lock import DirectoryLock
from shared.health import Health
from shared.ledger import Ledger
from shared.server import serve
from shared.settings import load
from shared.sqlite import Database

PROGRAM = "python -m services.toolforge"
MIGRATIONS = (Ledger.MIGRATION, sqlite_registry.MIGRATION, sqlite_forge_rows.MIGRATION)


async def main(settings: ToolForgeSettings) -> None:
    """Serves until told to stop."""
    async with AsyncExitStack() as stack:
        stack.callback(DirectoryLock(settings.data_dir).release)
        database = Database(settings.data_dir / "toolforge.sqlite", MIGRATIONS)
        await database.open()
        stack.push_async_callback(database.close)
        servicer = await _servicer(settings, database, stack)
        following = asyncio.create_task(servicer.search.follow())
        stack.callback(following.cancel)
        stack.push_async_callback(servicer.forges.close)

        async def ready(health: Health) -> None:
            await servicer.forges.resume()
            await health.set(True)

        await serve(
            settings,
            toolforge_pb2.DESCRIPTOR,
            lambda server: add_ToolForgeServiceServicer_to_server(servicer, server),
            ready=ready,
        )


async def _servicer(
    settings: ToolForgeSettings, database: Database, stack: AsyncExitStack
) -> ToolForgeServicer:
    addresses = (settings.sandbox_address, settings.supervisor_address, settings.memory_address)
    channels = [
        await stack.enter_async_context(open_channel(address, settings.tls_dir))
        for address in addresses
    ]
    sandbox = GrpcSandbox(channels[0], settings.sandbox_address)
    personas = GrpcPersonas(channels[1], settings.supervisor_address)
    drafter = OllamaDrafter(settings.ollama_host, settings.token_limit, settings.model_seconds)
    stack.push_async_callback(drafter.close)
    bell = Bell()
    forge_store, registry = SqliteForges(database, bell), SqliteRegistry(database, bell)
    patience = Patience(settings.forge_seconds, settings.trial_seconds, settings.serving_seconds)
    forging = Forging(forge_store, personas, drafter, sandbox, patience)
    return ToolForgeServicer(
        forges=Forges(forge_store, forging, bell, settings.width, settings.queue_limit),
        forge_store=forge_store,
        registry=registry,
        registration=Registration(registry, sandbox, settings.trial_seconds),
        search=ToolSearch(registry, MemoryIndex(channels[2]), bell),
        trajectories=SqliteTrajectories(database),
        personas=personas,
        sandbox=sandbox,
        ledger=Ledger(database),
        invoke_seconds=settings.invoke_seconds,
    )


if __name__ == "__main__":
    settings = load(ToolForgeSettings, PROGRAM)
    logs.configure("toolforge", settings.log_level, settings.log_format)
    process.run(PROGRAM, main(settings))
