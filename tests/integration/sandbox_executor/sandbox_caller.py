"""Short words for calls of the sandbox in tests."""

import json
from typing import Any

from batos.sandbox.v1 import sandbox_pb2 as pb
from batos.sandbox.v1 import sandbox_pb2_grpc as pb_grpc


class SandboxCaller:
    """Builds requests and sends them."""

    def __init__(self, channel: Any) -> None:
        self.stub = pb_grpc.SandboxServiceStub(channel)

    async def execute(
        self,
        source: str,
        *calls: tuple[str, dict[str, Any]],
        stdin: bytes = b"",
        arguments: tuple[str, ...] = (),
        timeout: float | None = None,
        **limits: Any,
    ) -> pb.ExecuteResponse:
        """Runs source, then calls; `wall` and `cpu` are seconds."""
        return await self.stub.Execute(
            self.request(source, *calls, stdin=stdin, arguments=arguments, **limits),
            timeout=timeout,
        )

    @staticmethod
    def request(
        source: str,
        *calls: tuple[str, dict[str, Any]],
        stdin: bytes = b"",
        arguments: tuple[str, ...] = (),
        **limits: Any,
    ) -> pb.ExecuteRequest:
        asked = pb.Limits()
        for name, value in limits.items():
            if name in ("wall", "cpu"):
                getattr(asked, name).FromNanoseconds(int(value * 1e9))
            else:
                setattr(asked, name, value)
        return pb.ExecuteRequest(
            source=source,
            calls=[
                pb.FunctionCall(function=name, arguments_json=json.dumps(given))
                for name, given in calls
            ],
            stdin=stdin,
            arguments=arguments,
            limits=asked,
        )


def values(response: pb.ExecuteResponse) -> list[Any]:
    """The returned values, parsed; None where a call has none."""
    return [
        json.loads(result.value_json) if result.HasField("value_json") else None
        for result in response.results
    ]
