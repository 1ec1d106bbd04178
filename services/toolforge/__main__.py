"""`python -m services.toolforge`: settings → adapters → servicer → serve."""

import asyncio
from contextlib import AsyncExitStack

import grpc
from batos.image.v1 import image_pb2
from batos.image.v1.image_pb2_grpc import add_ImagePartServiceServicer_to_server
from batos.toolforge.v1 import toolforge_pb2
from batos.toolforge.v1.toolforge_pb2_grpc import add_ToolForgeServiceServicer_to_server

from services.toolforge import image_part, sqlite_forge_rows, sqlite_tool_rows
from services.toolforge.asking import Asking, Patience
from services.toolforge.bell import Bell
from services.toolforge.examination import Examination
from services.toolforge.forge_methods import ForgeMethods
from services.toolforge.forges import Forges
from services.toolforge.forging import Forging
from services.toolforge.grpc_personas import GrpcPersonas
from services.toolforge.grpc_sandbox import GrpcSandbox
from services.toolforge.invocation import Invoker
from services.toolforge.memory_index import MemoryIndex
from services.toolforge.ollama_drafter import OllamaDrafter
from services.toolforge.registration import Registration
from services.toolforge.sampling import Sampler
from services.toolforge.sandbox import Limits
from services.toolforge.servicer import ToolForgeServicer
from services.toolforge.settings import ToolForgeSettings
from services.toolforge.sqlite_forges import SqliteForges
from services.toolforge.sqlite_lifecycle import SqliteLifecycle
from services.toolforge.sqlite_registry import SqliteRegistry
from services.toolforge.sqlite_trajectories import SqliteTrajectories
from services.toolforge.tool_methods import ToolMethods
from services.toolforge.tool_search import ToolSearch
from services.toolforge.tool_watch import ToolWatch
from services.toolforge.toolbox import Toolbox
from shared import process, telemetry
from shared.channel import open_channel
from shared.directory_lock import DirectoryLock
from shared.health import Health
from shared.image import switching
from shared.image.servicer import ImagePartServicer
from shared.ledger import Ledger
from shared.server import serve
from shared.settings import load
from shared.sqlite import Database

PROGRAM = "python -m services.toolforge"
MIGRATIONS = (Ledger.MIGRATION, sqlite_tool_rows.MIGRATION, sqlite_forge_rows.MIGRATION)


async def main(settings: ToolForgeSettings) -> None:
    """Serves until told to stop."""
    async with AsyncExitStack() as stack:
        stack.callback(DirectoryLock(settings.data_dir).release)
        switching.finish(settings.data_dir, [image_part.DATABASE], reconcile=image_part.reconcile)
        database = Database(settings.data_dir / image_part.DATABASE, MIGRATIONS)
        await database.open()
        stack.push_async_callback(database.close)
        servicer = await _servicer(settings, database, stack)
        following = asyncio.create_task(servicer.tool.search.follow())
        stack.callback(following.cancel)
        stack.push_async_callback(servicer.forge.forges.close)

        part = ImagePartServicer(image_part.of(settings, database))
        stack.push_async_callback(part.close)

        def register(server: grpc.aio.Server) -> None:
            add_ToolForgeServiceServicer_to_server(servicer, server)
            add_ImagePartServiceServicer_to_server(part, server)

        async def ready(health: Health) -> None:
            await servicer.forge.forges.resume()
            await health.set(True)

        await serve(
            settings,
            toolforge_pb2.DESCRIPTOR,
            register,
            ready=ready,
            also=[image_pb2.DESCRIPTOR],
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
    bell, ledger = Bell(), Ledger(database)
    forge_store, registry = SqliteForges(database, bell), SqliteRegistry(database, bell)
    lifecycle, toolbox = SqliteLifecycle(database, bell), Toolbox(registry)
    search = ToolSearch(registry, MemoryIndex(channels[2]), bell)
    examination = Examination(sandbox, toolbox, Limits(settings.trial_seconds))
    patience = Patience(settings.model_retries, settings.retry_seconds, settings.serving_seconds)
    sampler = Sampler(Asking(personas, drafter, patience), examination)
    forging = Forging(forge_store, sampler, search, settings.forge_seconds)
    return ToolForgeServicer(
        ForgeMethods(
            forges=Forges(forge_store, forging, bell, settings.width, settings.queue_limit),
            forge_store=forge_store,
            registry=registry,
            trajectories=SqliteTrajectories(database),
            personas=personas,
            sandbox=sandbox,
            ledger=ledger,
            sample_limit=settings.sample_limit,
        ),
        ToolMethods(
            registry=registry,
            lifecycle=lifecycle,
            registration=Registration(registry, lifecycle, examination, settings.assertion_seconds),
            invoker=Invoker(registry, sandbox, toolbox, Limits(settings.invoke_seconds)),
            search=search,
            watching=ToolWatch(lifecycle, bell),
            ledger=ledger,
            patience=settings.quarantine_after,
        ),
    )


if __name__ == "__main__":
    settings = load(ToolForgeSettings, PROGRAM)
    telemetry.start("toolforge", settings)
    process.run(PROGRAM, main(settings))
