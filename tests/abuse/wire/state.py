"""What a service keeps, in few words, to see that a refusal changed nothing."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import grpc
from batos.memory.v1 import memory_pb2 as memory
from batos.memory.v1.memory_pb2_grpc import MemoryServiceStub
from batos.supervisor.v1 import supervisor_pb2 as supervisor
from batos.supervisor.v1.supervisor_pb2_grpc import SupervisorServiceStub
from batos.toolforge.v1 import toolforge_pb2 as toolforge
from batos.toolforge.v1.toolforge_pb2_grpc import ToolForgeServiceStub
from batos.trainer.v1 import trainer_pb2 as trainer
from batos.trainer.v1.trainer_pb2_grpc import TrainerServiceStub


async def of_memory(channel: grpc.aio.Channel) -> Any:
    """Rows per namespace."""
    answer = await MemoryServiceStub(channel).GetStats(memory.GetStatsRequest(page_size=500))
    return list(answer.namespaces)


async def of_sandbox(channel: grpc.aio.Channel) -> Any:
    """It keeps nothing."""
    return None


async def of_toolforge(channel: grpc.aio.Channel) -> Any:
    """Versions of registered tools, and which forges there are; those go on by themselves."""
    stub = ToolForgeServiceStub(channel)
    tools = await stub.ListTools(toolforge.ListToolsRequest(page_size=500))
    forges = await stub.ListForges(toolforge.ListForgesRequest(page_size=500))
    registered = {
        t.name: t.version for t in tools.tools if t.origin != toolforge.TOOL_ORIGIN_FORGED
    }
    return registered, [f.name for f in forges.forges]


async def of_trainer(channel: grpc.aio.Channel) -> Any:
    """Which runs there are."""
    request = trainer.ListTrainingRunsRequest(page_size=500)
    runs = await TrainerServiceStub(channel).ListTrainingRuns(request)
    return [run.name for run in runs.training_runs]


async def of_supervisor(channel: grpc.aio.Channel) -> Any:
    """Which Somas there are, where the pointers are, who has the GPU."""
    stub = SupervisorServiceStub(channel)
    somas = await stub.ListSomas(supervisor.ListSomasRequest(page_size=500))
    personas = await stub.ListPersonas(supervisor.ListPersonasRequest())
    standing = await stub.GetPersona(supervisor.GetPersonaRequest())
    pointers = [(p.name, p.model.generation) for p in personas.personas]
    return [soma.name for soma in somas.somas], pointers, standing.serving_state


STATE: Mapping[str, Callable[[grpc.aio.Channel], Awaitable[Any]]] = {
    "memory": of_memory,
    "sandbox-executor": of_sandbox,
    "toolforge": of_toolforge,
    "trainer": of_trainer,
    "supervisor": of_supervisor,
}
