"""Short words for calls of the sandbox in tests."""

import json
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import grpc
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
        **more: Any,
    ) -> pb.ExecuteResponse:
        """Runs source, then calls; `wall` and `cpu` are seconds, `files` are contents by path."""
        return await self.stub.Execute(
            self.request(source, *calls, stdin=stdin, arguments=arguments, **more),
            timeout=timeout,
        )

    async def stream(self, source: str, **more: Any) -> list[pb.ExecuteStreamResponse]:
        """All events of a run."""
        request = pb.ExecuteStreamRequest(run=self.request(source, **more))
        return [event async for event in self.stub.ExecuteStream(request)]

    @staticmethod
    def request(
        source: str,
        *calls: tuple[str, dict[str, Any]],
        stdin: bytes = b"",
        arguments: tuple[str, ...] = (),
        files: Mapping[str, bytes] = MappingProxyType({}),
        environment: Mapping[str, str] = MappingProxyType({}),
        collect: tuple[str, ...] = (),
        profile: str = "",
        **limits: Any,
    ) -> pb.ExecuteRequest:
        return pb.ExecuteRequest(
            source=source,
            calls=[
                pb.FunctionCall(function=name, arguments_json=json.dumps(given))
                for name, given in calls
            ],
            stdin=stdin,
            arguments=arguments,
            limits=limits_of(**limits),
            files=files_of(files),
            environment=environment,
            collect=collect,
            profile=profile,
        )


class SessionCaller:
    """One session: cells one after another."""

    def __init__(self, stub: Any) -> None:
        self.call = stub.Session()

    async def open(self, **fields: Any) -> pb.SessionOpened:
        await self.call.write(pb.SessionRequest(open=pb.SessionOpen(**fields)))
        return (await self.call.read()).opened

    async def cell(self, source: str, **fields: Any) -> pb.SessionResponse:
        """The last event of a cell: `done` or `refused`."""
        cell = pb.SessionCell(source=source, **fields)
        await self.call.write(pb.SessionRequest(cell=cell))
        while True:
            event = await self.call.read()
            assert event is not grpc.aio.EOF, await self.call.code()
            if event.WhichOneof("event") in ("done", "refused"):
                return event

    async def close(self) -> grpc.StatusCode:
        await self.call.done_writing()
        while await self.call.read() is not grpc.aio.EOF:
            pass
        return await self.call.code()


def limits_of(**limits: Any) -> pb.Limits:
    """`wall` and `cpu` are seconds, the others as the message names them."""
    asked = pb.Limits()
    for name, value in limits.items():
        if name in ("wall", "cpu"):
            getattr(asked, name).FromNanoseconds(int(value * 1e9))
        else:
            setattr(asked, name, value)
    return asked


def files_of(files: Mapping[str, bytes]) -> list[pb.File]:
    return [pb.File(path=path, content=content) for path, content in files.items()]


def values(response: pb.ExecuteResponse) -> list[Any]:
    """The returned values, parsed; None where a call has none."""
    return [
        json.loads(result.value_json) if result.HasField("value_json") else None
        for result in response.results
    ]
