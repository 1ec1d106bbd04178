"""The Trainer over gRPC."""

import grpc
from batos.trainer.v1 import trainer_pb2, trainer_pb2_grpc

from shared.rpc_status import from_rpc_error


class TrainerPeer:
    """A `Trainer` of autolearn."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self._stub: trainer_pb2_grpc.TrainerServiceAsyncStub = trainer_pb2_grpc.TrainerServiceStub(
            channel
        )

    async def start(self, request_id: str, persona: str) -> str:
        """Begins a run with the Trainer's own defaults."""
        request = trainer_pb2.StartTrainingRunRequest(request_id=request_id, persona=persona)
        try:
            return (await self._stub.StartTrainingRun(request)).training_run.name
        except grpc.RpcError as error:
            raise from_rpc_error(error) from error
