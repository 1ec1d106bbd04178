"""The Supervisor as the port `Personas`."""

import grpc
from batos.supervisor.v1 import supervisor_pb2
from batos.supervisor.v1.supervisor_pb2_grpc import SupervisorServiceStub

from services.toolforge.peer_errors import read_failure
from services.toolforge.personas import Persona

_GET_SECONDS = 10.0


class GrpcPersonas:
    """Asks `SupervisorService.GetPersona`."""

    def __init__(self, channel: grpc.aio.Channel, address: str) -> None:
        self._stub = SupervisorServiceStub(channel)
        self._peer = f"the Supervisor at {address}"

    async def get(self, name: str) -> Persona:
        """A persona as it stands; the toolsmith for ""."""
        request = supervisor_pb2.GetPersonaRequest(name=name)
        try:
            response = await self._stub.GetPersona(request, timeout=_GET_SECONDS)
        except grpc.RpcError as error:
            raise read_failure(error, self._peer, "SUPERVISOR_UNAVAILABLE") from error
        return Persona(
            name=response.persona.name,
            system_prompt=response.persona.system_prompt,
            model=response.persona.model.tag,
            serving=response.serving_state == supervisor_pb2.SERVING_STATE_SERVING,
            generation=response.persona.model.generation,
            options={name: _plain(value) for name, value in response.persona.options.items()},
        )


def _plain(value: float) -> float:
    """The contract has doubles; Ollama takes no 8192.0 where it wants a whole number."""
    return int(value) if value.is_integer() else value
