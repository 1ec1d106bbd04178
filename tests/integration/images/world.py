"""All services as processes, and an owner who talks, makes tools, saves and loads."""

from __future__ import annotations

import json
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import grpc
from batos.memory.v1 import memory_pb2, memory_pb2_grpc
from batos.supervisor.v1 import supervisor_pb2 as pb
from batos.supervisor.v1 import supervisor_pb2_grpc
from batos.toolforge.v1 import toolforge_pb2, toolforge_pb2_grpc
from batos.trainer.v1 import trainer_pb2, trainer_pb2_grpc

from deploy.local.stack import LocalStack
from shared.channel import open_channel

SETTINGS = {
    "BATOS_SUPERVISOR_ANSWER_TOKENS": "12",
    "BATOS_SUPERVISOR_DRAIN_SECONDS": "1",
    "BATOS_MEMORY_DRAIN_SECONDS": "1",
    "BATOS_TOOLFORGE_DRAIN_SECONDS": "1",
    "BATOS_TRAINER_DRAIN_SECONDS": "1",
}


def fresh() -> str:
    return str(uuid.uuid4())


@dataclass
class World:
    """A running system."""

    stack: LocalStack
    supervisor: supervisor_pb2_grpc.SupervisorServiceStub
    memory: memory_pb2_grpc.MemoryServiceStub
    toolforge: toolforge_pb2_grpc.ToolForgeServiceStub
    trainer: trainer_pb2_grpc.TrainerServiceStub

    async def say(self, text: str, soma: str = "", persona: str = "ROBIN") -> pb.Finished:
        request = pb.ConverseRequest(request_id=fresh(), persona=persona, text=text, soma=soma)
        call = self.supervisor.Converse(request, wait_for_ready=True)
        return [event async for event in call][-1].finished

    async def register(self, name: str, body: str = "a + b", about: str = "Combine.") -> None:
        source = f'def {name}(a: int, b: int) -> int:\n    """Combine."""\n    return {body}\n'
        result = eval(body, {"a": 2, "b": 3})
        example = toolforge_pb2.Example(
            arguments_json='{"a": 2, "b": 3}', result_json=json.dumps(result)
        )
        spec = toolforge_pb2.Spec(name=name, description=about, examples=[example])
        request = toolforge_pb2.RegisterToolRequest(request_id=fresh(), spec=spec, source=source)
        await self.toolforge.RegisterTool(request)

    async def tools(self) -> set[str]:
        request = toolforge_pb2.ListToolsRequest()
        answer = await self.toolforge.ListTools(request, wait_for_ready=True)
        return {tool.name for tool in answer.tools}

    async def somas(self) -> set[str]:
        answer = await self.supervisor.ListSomas(pb.ListSomasRequest(), wait_for_ready=True)
        return {soma.name for soma in answer.somas}

    async def remembered(self, query: str) -> list[str]:
        request = memory_pb2.SearchRequest(namespace="personas/ROBIN", query=query, limit=50)
        answer = await self.memory.Search(request, wait_for_ready=True)
        return [hit.record.text for hit in answer.hits]

    async def save(self, request_id: str = "") -> pb.Image:
        request = pb.SaveImageRequest(request_id=request_id or fresh(), note="of a test")
        events = [event async for event in self.supervisor.SaveImage(request)]
        assert {e.WhichOneof("event") for e in events[:-1]} <= {"progress"}
        return events[-1].image

    async def load(
        self, name: str, *, discard_current: bool = False, request_id: str = ""
    ) -> pb.LoadedImage:
        """Returns once everything serves the image."""
        request = pb.LoadImageRequest(
            request_id=request_id or fresh(), name=name, discard_current=discard_current
        )
        call = self.supervisor.LoadImage(request, wait_for_ready=True)
        events = [event async for event in call]
        await self.somas()
        return events[-1].loaded

    async def images(self) -> list[pb.Image]:
        answer = await self.supervisor.ListImages(pb.ListImagesRequest(), wait_for_ready=True)
        return list(answer.images)

    async def events(self) -> list[pb.Event]:
        """All of the journal so far."""
        watch = self.supervisor.WatchEvents(pb.WatchEventsRequest(), timeout=1, wait_for_ready=True)
        found = []
        try:
            async for response in watch:
                found.append(response.event)
        except grpc.aio.AioRpcError as error:
            if error.code() is not grpc.StatusCode.DEADLINE_EXCEEDED:
                raise
        return found

    async def runs(self) -> list[trainer_pb2.TrainingRun]:
        request = trainer_pb2.ListTrainingRunsRequest()
        answer = await self.trainer.ListTrainingRuns(request, wait_for_ready=True)
        return list(answer.training_runs)


@asynccontextmanager
async def world(data_dir: Path, **settings: str) -> AsyncIterator[World]:
    stack = LocalStack(data_dir, settings=SETTINGS | settings)
    async with (
        stack,
        open_channel(stack.addresses["supervisor"]) as supervisor,
        open_channel(stack.addresses["memory"]) as memory,
        open_channel(stack.addresses["toolforge"]) as toolforge,
        open_channel(stack.addresses["trainer"]) as trainer,
    ):
        yield World(
            stack,
            supervisor_pb2_grpc.SupervisorServiceStub(supervisor),
            memory_pb2_grpc.MemoryServiceStub(memory),
            toolforge_pb2_grpc.ToolForgeServiceStub(toolforge),
            trainer_pb2_grpc.TrainerServiceStub(trainer),
        )
