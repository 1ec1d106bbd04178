"""What every step works with: the running services, the journey and the terminal."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from batos.memory.v1.memory_pb2_grpc import MemoryServiceStub
from batos.sandbox.v1.sandbox_pb2_grpc import SandboxServiceStub
from batos.supervisor.v1.supervisor_pb2_grpc import SupervisorServiceStub
from batos.toolforge.v1.toolforge_pb2_grpc import ToolForgeServiceStub
from batos.trainer.v1.trainer_pb2_grpc import TrainerServiceStub

from demo.journey import Journey
from demo.story import Story
from shared.channel import open_channel

if TYPE_CHECKING:  # the generated stubs name their asyncio variants for type checkers only
    from batos.memory.v1.memory_pb2_grpc import MemoryServiceAsyncStub
    from batos.sandbox.v1.sandbox_pb2_grpc import SandboxServiceAsyncStub
    from batos.supervisor.v1.supervisor_pb2_grpc import SupervisorServiceAsyncStub
    from batos.toolforge.v1.toolforge_pb2_grpc import ToolForgeServiceAsyncStub
    from batos.trainer.v1.trainer_pb2_grpc import TrainerServiceAsyncStub


@dataclass(frozen=True)
class Services:
    """Where the services are: addresses by name, the identity to show, who of them has died.

    `begin_anew` stops them, deletes all that they keep, and starts them; None where they are not
    ours to do that with.
    """

    addresses: Mapping[str, str]
    tls_dir: Path | None
    died: Callable[[], list[str]]
    begin_anew: Callable[[], Awaitable[None]] | None = None


@dataclass(frozen=True)
class Stage:
    """The five services as a client sees them, and where the story is told."""

    memory: "MemoryServiceAsyncStub"
    sandbox: "SandboxServiceAsyncStub"
    toolforge: "ToolForgeServiceAsyncStub"
    trainer: "TrainerServiceAsyncStub"
    supervisor: "SupervisorServiceAsyncStub"
    journey: Journey
    story: Story
    services: Services


@asynccontextmanager
async def open_stage(services: Services, journey: Journey, story: Story) -> AsyncIterator[Stage]:
    """Channels to all services, closed at the end."""
    channels = {
        name: open_channel(address, services.tls_dir)
        for name, address in services.addresses.items()
        if name != "model-server"
    }
    try:
        yield Stage(
            memory=MemoryServiceStub(channels["memory"]),
            sandbox=SandboxServiceStub(channels["sandbox-executor"]),
            toolforge=ToolForgeServiceStub(channels["toolforge"]),
            trainer=TrainerServiceStub(channels["trainer"]),
            supervisor=SupervisorServiceStub(channels["supervisor"]),
            journey=journey,
            story=story,
            services=services,
        )
    finally:
        for channel in channels.values():
            await channel.close()
