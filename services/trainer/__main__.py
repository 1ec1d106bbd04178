"""The Trainer: `python -m services.trainer`."""

from __future__ import annotations

import grpc
from batos.image.v1 import image_pb2
from batos.image.v1.image_pb2_grpc import add_ImagePartServiceServicer_to_server
from batos.trainer.v1 import trainer_pb2, trainer_pb2_grpc

from services.trainer import image_part, sqlite_outside
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
from services.trainer.sqlite_outside import AllSources, SqliteOutside
from services.trainer.sqlite_runs import MIGRATION, SqliteRuns
from shared import telemetry
from shared.channel import open_channel
from shared.directory_lock import DirectoryLock
from shared.health import Health
from shared.image import switching
from shared.image.servicer import ImagePartServicer
from shared.ledger import Ledger
from shared.process import run
from shared.server import serve
from shared.settings import load
from shared.sqlite import Database


class Neighbours:
    """Channels and clients to the services that this one calls."""

    def __init__(self, settings: TrainerSettings) -> None:
        self._settings = settings
        self._supervisor = open_channel(settings.supervisor_address, settings.tls_dir)
        self._toolforge = open_channel(settings.toolforge_address, settings.tls_dir)
        self._sandbox = open_channel(settings.sandbox_address, settings.tls_dir)
        self._backend = OllamaModels(
            settings.ollama_host, settings.quantize, settings.model_seconds, settings.create_seconds
        )

    def parts(self, catalogue: Catalogue, database: Database) -> Parts:
        """Adapters and stores put together."""
        settings = self._settings
        outside = SqliteOutside(database)
        arbiter = GrpcArbiter(self._supervisor, settings.supervisor_address)
        source = GrpcGoldenSource(
            arbiter,
            toolforge=(self._toolforge, settings.toolforge_address),
            supervisor=(self._supervisor, settings.supervisor_address),
        )
        runner = SandboxCodeRunner(self._sandbox, settings.sandbox_address)
        evaluation = Evaluation(
            self._backend, runner, settings.evaluation_parallel, settings.answer_tokens
        )
        return Parts(
            runs=SqliteRuns(database),
            datasets=DatasetStore(settings.data_dir / "datasets"),
            source=AllSources(arbiter, source, outside),
            outside=outside,
            catalogue=catalogue,
            arbiter=arbiter,
            backend=self._backend,
            evaluation=evaluation,
            settings=settings,
        )

    async def close(self) -> None:
        """Closes all connections."""
        await self._backend.close()
        for channel in (self._supervisor, self._toolforge, self._sandbox):
            await channel.close()


async def main(settings: TrainerSettings) -> None:
    """Puts the service together and serves until it is told to stop."""
    catalogue = Catalogue.read(settings.bases)
    lock = DirectoryLock(settings.data_dir)
    switching.finish(settings.data_dir, [image_part.DATABASE], image_part.FOLDERS)
    migrations = [Ledger.MIGRATION, MIGRATION, sqlite_outside.MIGRATION]
    database = Database(settings.data_dir / image_part.DATABASE, migrations)
    await database.open()
    neighbours = Neighbours(settings)
    parts = neighbours.parts(catalogue, database)
    scheduler = Scheduler(parts.runs, Pipeline(parts))
    servicer = TrainerServicer(parts, scheduler, database)
    image = ImagePartServicer(image_part.of(parts, database))

    def register(server: grpc.aio.Server) -> None:
        trainer_pb2_grpc.add_TrainerServiceServicer_to_server(servicer, server)
        add_ImagePartServiceServicer_to_server(image, server)

    async def ready(health: Health) -> None:
        scheduler.start()
        await health.set(True)

    async def on_drain() -> None:
        await image.close()
        await scheduler.stop()
        await neighbours.close()
        await database.close()
        lock.release()

    await serve(
        settings,
        trainer_pb2.DESCRIPTOR,
        register,
        ready=ready,
        on_drain=on_drain,
        also=[image_pb2.DESCRIPTOR],
    )


if __name__ == "__main__":
    settings = load(TrainerSettings, "services.trainer")
    telemetry.start("trainer", settings)
    run("services.trainer", main(settings))
