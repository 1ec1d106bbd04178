"""Runs the Supervisor: settings → adapters → servicer → serve."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta

from batos.supervisor.v1 import supervisor_pb2, supervisor_pb2_grpc

from services.supervisor import codex, metrics
from services.supervisor.answering import Answering
from services.supervisor.autolearn import Autolearn, Policy
from services.supervisor.codex_watch import CodexWatch
from services.supervisor.conversation import Conversation, Limits
from services.supervisor.gpu_arbiter import GpuArbiter
from services.supervisor.gpu_memory import GpuMemory
from services.supervisor.images import pending
from services.supervisor.images.grpc_part import GrpcPart
from services.supervisor.images.loading import Loader
from services.supervisor.images.methods import Images
from services.supervisor.images.own_part import DATABASE, OwnPart, reconcile
from services.supervisor.images.saving import Saver
from services.supervisor.images.schedule import Schedule
from services.supervisor.images.store import ImageStore
from services.supervisor.memory_peer import MemoryPeer
from services.supervisor.ollama_model import OllamaModel
from services.supervisor.recall import Recall
from services.supervisor.remembrance import Remembrance
from services.supervisor.servicer import Domain, SupervisorServicer
from services.supervisor.settings import SupervisorSettings
from services.supervisor.speech import CallLimits, Speech
from services.supervisor.sqlite_events import SqliteEvents
from services.supervisor.sqlite_journal import Journal
from services.supervisor.sqlite_leases import SqliteLeases
from services.supervisor.sqlite_lessons import SqliteLessons
from services.supervisor.sqlite_outbox import SqliteOutbox
from services.supervisor.sqlite_personas import SqlitePersonas
from services.supervisor.sqlite_soma_search import SqliteSomaSearch
from services.supervisor.sqlite_somas import SqliteSomas
from services.supervisor.swap import Swapper
from services.supervisor.toolbox import Toolbox
from services.supervisor.toolforge_peer import ToolForgePeer
from services.supervisor.trainer_peer import TrainerPeer
from services.supervisor.turn_gate import TurnGate
from shared import process, server, telemetry
from shared.channel import open_channel
from shared.directory_lock import DirectoryLock
from shared.image import switching
from shared.image.part import Part
from shared.ledger import Ledger
from shared.settings import load


@dataclass(frozen=True, slots=True)
class Adapters:
    """The world outside: the journal on disk, Memory, ToolForge, the model backend."""

    journal: Journal
    personas: SqlitePersonas
    memory: MemoryPeer
    tools: ToolForgePeer
    model: OllamaModel
    parts: Sequence[GrpcPart]
    trainer: TrainerPeer


async def open_adapters(settings: SupervisorSettings, stack: AsyncExitStack) -> Adapters:
    """Opens everything outside; the stack closes it in reverse order."""
    personas_file = codex.read(settings.codex)
    # Two of us on one journal would be two arbiters of one GPU.
    stack.callback(DirectoryLock(settings.data_dir).release)
    memory, toolforge, trainer = [
        await stack.enter_async_context(open_channel(address, settings.tls_dir))
        for address in (
            settings.memory_address,
            settings.toolforge_address,
            settings.trainer_address,
        )
    ]
    parts = [
        GrpcPart("memory", memory),
        GrpcPart("toolforge", toolforge),
        GrpcPart("trainer", trainer),
    ]
    await pending.finish(settings.data_dir, parts)
    switching.finish(settings.data_dir, [DATABASE], reconcile=reconcile)
    pending.forget(settings.data_dir)
    journal = Journal(settings.data_dir / DATABASE)
    await journal.open()
    stack.push_async_callback(journal.close)
    personas = SqlitePersonas(journal, personas_file)
    await personas.enrol()
    watching = asyncio.create_task(CodexWatch(settings.codex, personas).run())
    stack.push_async_callback(_stop, watching)
    model = OllamaModel(
        settings.ollama_host,
        stall_seconds=settings.stall_seconds,
        answer_tokens=settings.answer_tokens,
        keep_alive=settings.keep_alive,
    )
    stack.push_async_callback(model.close)
    return Adapters(
        journal,
        personas,
        MemoryPeer(memory),
        ToolForgePeer(toolforge),
        model,
        parts,
        TrainerPeer(trainer),
    )


async def start_arbiter(
    settings: SupervisorSettings, adapters: Adapters, gate: TurnGate, stack: AsyncExitStack
) -> GpuArbiter:
    """The lease as the last run left it, its clock running."""
    arbiter = GpuArbiter(
        SqliteLeases(adapters.journal),
        gate,
        GpuMemory(adapters.model, settings.unload_seconds),
        settings.lease_drain_seconds,
    )
    await arbiter.resume()
    stack.push_async_callback(arbiter.close)
    return arbiter


def start_conversation(
    settings: SupervisorSettings, adapters: Adapters, gate: TurnGate, stack: AsyncExitStack
) -> Conversation:
    """Conversations, with the delivery to Memory running beside them."""
    somas = SqliteSomas(adapters.journal)
    remembrance = Remembrance(SqliteOutbox(adapters.journal), adapters.memory)
    delivery = asyncio.create_task(remembrance.run())
    stack.push_async_callback(_stop, delivery)
    answering = Answering(
        personas=adapters.personas,
        recall=Recall(adapters.memory, somas, remembrance, settings.recall_seconds),
        toolbox=Toolbox(adapters.tools, settings.tool_search_seconds),
        model=adapters.model,
        speech=Speech(
            adapters.model,
            adapters.tools,
            CallLimits(settings.tool_rounds, settings.tool_calls, settings.tool_seconds),
        ),
        window_tokens=settings.window_tokens,
    )
    return Conversation(
        somas=somas,
        answering=answering,
        gate=gate,
        limits=Limits(settings.turns_at_once, settings.turn_seconds),
    )


def start_autolearn(
    settings: SupervisorSettings, adapters: Adapters, arbiter: GpuArbiter, stack: AsyncExitStack
) -> None:
    """Learning by itself, where the owner wants it."""
    if not settings.autolearn_examples:
        return
    policy = Policy(
        settings.autolearn_examples,
        settings.autolearn_runs_per_day,
        timedelta(minutes=settings.autolearn_idle_minutes),
        settings.autolearn_busy,
    )
    lessons = SqliteLessons(adapters.journal)
    autolearn = Autolearn(policy, lessons, adapters.trainer, arbiter)
    stack.push_async_callback(_stop, asyncio.create_task(autolearn.run()))


async def start_images(
    settings: SupervisorSettings, adapters: Adapters, arbiter: GpuArbiter, stack: AsyncExitStack
) -> Images:
    """Images of all services, with the schedule running beside them."""
    journal = adapters.journal
    own = OwnPart(
        Part(settings.data_dir, {DATABASE: journal.database}, quiet=journal.database.held)
    )
    stack.push_async_callback(own.close)
    store = ImageStore(settings.images_dir or settings.data_dir / "images")
    saver = Saver(store, [*adapters.parts, own], adapters.personas)
    images = Images(
        store=store,
        saver=saver,
        loader=Loader(store, saver, own, adapters.parts, adapters.model),
        others=adapters.parts,
        journal=journal,
        serving=lambda: arbiter.state,
    )
    await images.open()
    stack.push_async_callback(images.close)
    if settings.image_every_hours:
        schedule = Schedule(
            store=store,
            save=images.save_by_clock,
            failed=images.note_failure,
            pruned=images.tell_parts,
            every=timedelta(hours=settings.image_every_hours),
            kept=settings.image_keep,
        )
        stack.push_async_callback(_stop, asyncio.create_task(schedule.run()))
    return images


@asynccontextmanager
async def assembled(settings: SupervisorSettings) -> AsyncIterator[SupervisorServicer]:
    """The servicer on its real parts; everything is let go of in reverse order."""
    async with AsyncExitStack() as stack:
        adapters = await open_adapters(settings, stack)
        gate = TurnGate(settings.lease_policy, settings.lease_queue_limit, settings.lease_max_wait)
        arbiter = await start_arbiter(settings, adapters, gate, stack)
        metrics.watch_turns(lambda: gate.in_flight, lambda: gate.waiting)
        metrics.watch_lease(lambda: arbiter.state)
        swapper = Swapper(
            adapters.personas,
            SqliteLeases(adapters.journal),
            arbiter,
            adapters.model,
            settings.promotion_policy,
        )
        start_autolearn(settings, adapters, arbiter, stack)
        domain = Domain(
            conversation=start_conversation(settings, adapters, gate, stack),
            somas=SqliteSomas(adapters.journal),
            personas=adapters.personas,
            arbiter=arbiter,
            swapper=swapper,
            events=SqliteEvents(adapters.journal),
            ledger=Ledger(adapters.journal.database),
            search=SqliteSomaSearch(adapters.journal),
            images=await start_images(settings, adapters, arbiter, stack),
        )
        yield SupervisorServicer(domain)


async def main(settings: SupervisorSettings) -> None:
    """Serves until SIGTERM.

    Healthy even while the model backend or Memory is away: everything but `Converse` works then,
    and `Converse` says what is missing.
    """
    async with assembled(settings) as servicer:
        await server.serve(
            settings,
            supervisor_pb2.DESCRIPTOR,
            lambda grpc_server: supervisor_pb2_grpc.add_SupervisorServiceServicer_to_server(
                servicer, grpc_server
            ),
        )


async def _stop(task: "asyncio.Task[None]") -> None:
    task.cancel()
    await asyncio.wait({task})


if __name__ == "__main__":
    loaded = load(SupervisorSettings, "supervisor")
    telemetry.start("supervisor", loaded)
    process.run("supervisor", main(loaded))
