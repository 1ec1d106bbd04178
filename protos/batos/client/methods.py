"""The methods that the client calls: path, message classes, and seconds until a call is given up.

The classes come from the contracts' descriptors, so a wrong name fails when this is imported.
"""

from collections.abc import Callable
from dataclasses import dataclass
from types import ModuleType
from typing import Any

from batos.client.settings import Service
from batos.memory.v1 import memory_pb2
from batos.supervisor.v1 import supervisor_pb2
from batos.toolforge.v1 import toolforge_pb2
from batos.trainer.v1 import trainer_pb2
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass

DEFAULT_SECONDS = 30.0

_CONTRACTS: dict[Service, ModuleType] = {
    Service.SUPERVISOR: supervisor_pb2,
    Service.MEMORY: memory_pb2,
    Service.TOOLFORGE: toolforge_pb2,
    Service.TRAINER: trainer_pb2,
}


@dataclass(frozen=True)
class Method:
    """One method; `seconds` is None for those that run without end."""

    service: Service
    name: str
    path: str
    seconds: float | None
    parse: Callable[[bytes], Any]

    @staticmethod
    def serialize(message: Message) -> bytes:
        """A request as bytes."""
        return message.SerializeToString()


def _method(service: Service, name: str, seconds: float | None = DEFAULT_SECONDS) -> Method:
    (contract,) = _CONTRACTS[service].DESCRIPTOR.services_by_name.values()
    output = contract.methods_by_name[name].output_type
    return Method(
        service, name, f"/{contract.full_name}/{name}", seconds, GetMessageClass(output).FromString
    )


# A turn may wait for the whole queue before it.
CONVERSE = _method(Service.SUPERVISOR, "Converse", 300.0)
RATE_SOMA = _method(Service.SUPERVISOR, "RateSoma")
CORRECT_SOMA = _method(Service.SUPERVISOR, "CorrectSoma")
LIST_SOMAS = _method(Service.SUPERVISOR, "ListSomas")
LIST_PERSONAS = _method(Service.SUPERVISOR, "ListPersonas")
ROLL_BACK_PERSONA = _method(Service.SUPERVISOR, "RollBackPersona")
WATCH_EVENTS = _method(Service.SUPERVISOR, "WatchEvents", None)
# Images hold models: gigabytes, read and written.
SAVE_IMAGE = _method(Service.SUPERVISOR, "SaveImage", 3600.0)
LOAD_IMAGE = _method(Service.SUPERVISOR, "LoadImage", 3600.0)
LIST_IMAGES = _method(Service.SUPERVISOR, "ListImages")

CREATE_EPISODES = _method(Service.MEMORY, "CreateEpisodes", 600.0)
SEARCH = _method(Service.MEMORY, "Search")
FORGET = _method(Service.MEMORY, "Forget")

LIST_TOOLS = _method(Service.TOOLFORGE, "ListTools")
# The sandbox's own wall limit is at most 60 s, and a run may queue before it.
INVOKE_TOOL = _method(Service.TOOLFORGE, "InvokeTool", 150.0)
START_FORGE = _method(Service.TOOLFORGE, "StartForge")
GET_FORGE = _method(Service.TOOLFORGE, "GetForge")
WATCH_FORGE = _method(Service.TOOLFORGE, "WatchForge", None)

START_TRAINING_RUN = _method(Service.TRAINER, "StartTrainingRun")
GET_TRAINING_RUN = _method(Service.TRAINER, "GetTrainingRun")
LIST_TRAINING_RUNS = _method(Service.TRAINER, "ListTrainingRuns")
WATCH_TRAINING_RUN = _method(Service.TRAINER, "WatchTrainingRun", None)
