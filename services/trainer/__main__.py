"""The Trainer: `python -m services.trainer`."""

from __future__ import annotations

import grpc
from batos.trainer.v1 import trainer_pb2, trainer_pb2_grpc

from services.trainer.bases import Catalogue
from services.trainer.dataset_store import DatasetStore
from services.trainer.evaluation import Evaluation
from services.trainer.grpc_arbiter import GrpcArbiter
from services.trainer.grpc_golden_source import GrpcGoldenSource
from services.trainer.ollama_models import OllamaModels
from services.trainer.parts import Parts
from services.trainer.pipeline import Pipeline
from services.trainer.sandbox_code_runner import SandboxCodeRunner
from services.trainer.scheduler import Scheduler
from services.trainer.servicer import TrainerServicer
from services.trainer.settings import TrainerSettings
from services.trainer.sqlite_runs import MIGRATION, SqliteRuns
from shared import logs
from shared.channel import open_channel
from shared.health import Health
from shared.ledger import Ledger
from shared.process import run
from shared.server import serve
from shared.settings import load
from shared.sqlite import Database


async def main(settings: TrainerSettings) -> None:
    """Puts the service together and serves until it is told to stop."""
    catalogue = Catalogue.read(settings.bases)
    database = Database(settings.data_dir / "trainer.sqlite", [Ledger.MIGRATION, MIGRATION])
    await database.open()
    addresses = (settings.supervisor_address, settings.toolforge_address, settings.sandbox_address)
    supervisor, toolforge, sandbox = channels = [open_channel(address) for address in addresses]
    backend = OllamaModels(
        settings.ollama_host, settings.quantize, settings.model_seconds, settings.create_seconds
    )
    arbiter = GrpcArbiter(supervisor, settings.supervisor_address)
    parts = Parts(
        runs=SqliteRuns(database),
        datasets=DatasetStore(settings.data_dir / "datasets"),
        source=GrpcGoldenSource(
            arbiter,
            toolforge=(toolforge, settings.toolforge_address),
            supervisor=(supervisor, settings.supervisor_address),
        ),
        catalogue=catalogue,
        arbiter=arbiter,
        backend=backend,
        evaluation=Evaluation(
            backend,
            SandboxCodeRunner(sandbox, settings.sandbox_address),
            settings.evaluation_parallel,
            settings.answer_tokens,
        ),
        settings=settings,
    )
    scheduler = Scheduler(parts.runs, Pipeline(parts))
    servicer = TrainerServicer(parts, scheduler, database)

    def register(server: grpc.aio.Server) -> None:
        trainer_pb2_grpc.add_TrainerServiceServicer_to_server(servicer, server)

    async def ready(health: Health) -> None:
        scheduler.start()
        await health.set(True)

    async def on_drain() -> None:
        await scheduler.stop()
        await backend.close()
        for channel in channels:
            await channel.close()
        await database.close()

    await serve(settings, trainer_pb2.DESCRIPTOR, register, ready=ready, on_drain=on_drain)


if __name__ == "__main__":
    settings = load(TrainerSettings, "services.trainer")
    logs.configure("trainer", settings.log_level, settings.log_format)
    run("services.trainer", main(settings))
