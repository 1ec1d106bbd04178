"""The Supervisor as the port `Personas`."""

import grpc
from batos.supervisor.v1 import supervisor_pb2
from batos.supervisor.v1.supervisor_pb2_grpc import SupervisorServiceStub

from services.toolforge.personas import Persona
from shared.errors import Unavailable
from shared.rpc_status import from_rpc_error

_GET_SECONDS = 10.0


class GrpcPersonas:
    """Asks `SupervisorService.GetPersona`."""

    def __init__(self, channel: grpc.aio.Channel, address: str) -> None:
        self._stub = SupervisorServiceStub(channel)
        self._address = address

    async def get(self, name: str) -> Persona:
        """A persona as it stands; the toolsmith for ""."""
        request = supervisor_pb2.GetPersonaRequest(name=name)
        try:
            response = await self._stub.GetPersona(request, timeout=_GET_SECONDS)
        except grpc.RpcError as error:
            raise self._away(error) from error
        return Persona(
            name=response.persona.name,
            system_prompt=response.persona.system_prompt,
            model=response.persona.model.tag,
            serving=response.serving_state == supervisor_pb2.SERVING_STATE_SERVING,
        )

    def _away(self, error: grpc.RpcError) -> Exception:
        known = from_rpc_error(error)
        if isinstance(known, Unavailable) and known.reason == Unavailable.default_reason:
            return Unavailable(
                f"the Supervisor at {self._address} cannot be reached: {known.message}",
                reason="SUPERVISOR_UNAVAILABLE",
                retry_after=known.retry_after,
            )
        return known
