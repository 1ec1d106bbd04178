"""The Sandbox-executor as the port `CodeRunner`."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import grpc
from batos.sandbox.v1 import sandbox_pb2
from batos.sandbox.v1.sandbox_pb2_grpc import SandboxServiceStub

from services.trainer.peer_error import peer_error
from shared.errors import BatosError, InvalidArgument, ResourceExhausted

_WALL_SECONDS = 5
_MOST_REFUSALS = 60
_LONGEST_PAUSE = 2.0


class SandboxCodeRunner:
    """Calls `SandboxService.Execute`; runs may be repeated, so they are idempotent."""

    def __init__(self, channel: grpc.aio.Channel, address: str) -> None:
        self._stub = SandboxServiceStub(channel)
        self._address = address

    async def call(
        self, source: str, function: str, arguments_json: Sequence[str]
    ) -> list[str | None]:
        """As `CodeRunner.call`; waits while every sandbox is taken."""
        request = sandbox_pb2.ExecuteRequest(
            source=source,
            calls=[
                sandbox_pb2.FunctionCall(function=function, arguments_json=arguments)
                for arguments in arguments_json
            ],
            idempotent=True,
        )
        request.limits.wall.FromSeconds(_WALL_SECONDS)
        for _ in range(_MOST_REFUSALS):
            try:
                response = await self._stub.Execute(request)
            except grpc.RpcError as error:
                known = peer_error("sandbox", self._address, error)
                if isinstance(known, InvalidArgument):  # such as a source above the size cap
                    return [None] * len(arguments_json)
                await _wait_if_overloaded(known)
            else:
                return _values(response, len(arguments_json))
        raise ResourceExhausted(
            "no sandbox became free in time; is something else using them all?",
            reason="SANDBOX_BUSY",
        )


async def _wait_if_overloaded(error: BatosError) -> None:
    if not isinstance(error, ResourceExhausted):
        raise error
    await asyncio.sleep(min(error.retry_after or 0.5, _LONGEST_PAUSE))


def _values(response: sandbox_pb2.ExecuteResponse, count: int) -> list[str | None]:
    """A run that did not end well met nothing, whatever it returned before."""
    values: list[str | None] = [None] * count
    if response.outcome == sandbox_pb2.OUTCOME_OK:
        for number, result in enumerate(response.results[:count]):
            if result.WhichOneof("result") == "value_json":
                values[number] = result.value_json
    return values
