"""`kill -9` of the Supervisor inside a save, a load and a removal of an image."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import grpc
import pytest
from batos.supervisor.v1 import supervisor_pb2 as pb
from batos.supervisor.v1.supervisor_pb2_grpc import SupervisorServiceStub

from deploy.local import LocalStack
from tests.chaos.kill import victim as victims
from tests.chaos.kill.victim import Victim, killed_everywhere, victim
from tests.integration.supervisor.client import fresh
from tests.integration.supervisor.peers import backend

__all__ = ["backend"]

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


@pytest.fixture
async def supervisor(tmp_path: Path, backend, monkeypatch) -> AsyncIterator[Victim]:
    """With real peers, whose state the images hold."""
    monkeypatch.setattr(victims, "MOST_POINTS", 80)
    peers = LocalStack(tmp_path / "peers", services=("memory", "toolforge", "trainer"))
    settings = {
        "OLLAMA_HOST": backend.url,
        "BATOS_MEMORY_ADDRESS": peers.addresses["memory"],
        "BATOS_TOOLFORGE_ADDRESS": peers.addresses["toolforge"],
        "BATOS_TRAINER_ADDRESS": peers.addresses["trainer"],
        "BATOS_KILL_AT_SYNCS": "1",
    }
    async with peers, victim("supervisor", tmp_path, **settings) as service:
        yield service
        assert peers.died() == []


@pytest.fixture
def stub(supervisor: Victim) -> SupervisorServiceStub:
    return SupervisorServiceStub(supervisor.channel)


async def images(stub) -> set[str]:
    answer = await stub.ListImages(pb.ListImagesRequest(page_size=500), wait_for_ready=True)
    return {image.name for image in answer.images}


async def somas(stub) -> set[str]:
    answer = await stub.ListSomas(pb.ListSomasRequest(page_size=500), wait_for_ready=True)
    return {soma.name for soma in answer.somas}


async def turn(stub) -> str:
    request = pb.ConverseRequest(request_id=fresh(), persona="ROBIN", text="Hello.")
    events = [event async for event in stub.Converse(request, timeout=30, wait_for_ready=True)]
    return events[-1].finished.soma


async def save(stub, request: pb.SaveImageRequest) -> pb.Image:
    """The image that a save ends with."""
    async for response in stub.SaveImage(request, timeout=60):
        last = response
    return last.image


async def test_a_save(supervisor, stub):
    async def make():
        await turn(stub)
        return pb.SaveImageRequest(request_id=fresh())

    async def check(request, image):
        assert image.name in await images(stub)
        await stub.VerifyImage(pb.VerifyImageRequest(name=image.name))
        assert not list(supervisor.folder("supervisor/images").glob("*.partial"))

    await killed_everywhere(supervisor, "SaveImage", make, lambda r: save(stub, r), check, points=6)
    # One of each request, and none that nobody asked for.
    assert len(await images(stub)) == supervisor.recoveries + 1


async def test_a_removal(supervisor, stub):
    async def make():
        image = await save(stub, pb.SaveImageRequest(request_id=fresh()))
        return pb.DeleteImageRequest(request_id=fresh(), name=image.name)

    async def check(request, answer):
        assert request.name not in await images(stub)

    await killed_everywhere(supervisor, "DeleteImage", make, stub.DeleteImage, check, points=3)
    assert await images(stub) == set()


async def test_a_load(supervisor, stub, monkeypatch):
    # Each load has four services start anew, so not every single point can be waited for.
    monkeypatch.setattr(victims, "STEP", max(4, victims.STEP))
    kept = {await turn(stub)}
    image = await save(stub, pb.SaveImageRequest(request_id=fresh()))

    async def make():
        await turn(stub)
        return pb.LoadImageRequest(request_id=fresh(), name=image.name)

    async def load(request: pb.LoadImageRequest) -> pb.LoadedImage:
        async for response in stub.LoadImage(request, timeout=60, wait_for_ready=True):
            last = response
        await until_back()
        return last.loaded

    async def until_back() -> None:
        """Serves again after starting anew, or was killed in that."""
        for _ in range(600):
            try:
                await stub.ListImages(pb.ListImagesRequest(), timeout=5)
            except grpc.aio.AioRpcError:
                if supervisor.is_dead:
                    raise
                await asyncio.sleep(0.05)
            else:
                return
        raise AssertionError("it did not come back")

    async def check(request, loaded):
        assert loaded.image.name == image.name
        assert await somas(stub) == kept
        assert loaded.previous.name in await images(stub)
        # The peers serve the same image, and write again.
        assert not supervisor.folder("supervisor/.images/loading").exists()
        extra = await turn(stub)
        assert await somas(stub) == kept | {extra}

    await killed_everywhere(supervisor, "LoadImage", make, load, check, points=20)
