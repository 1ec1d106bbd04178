"""Living Images of a whole running system."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path

import grpc
import pytest
from batos.memory.v1 import memory_pb2
from batos.supervisor.v1 import supervisor_pb2 as pb
from google.protobuf.duration_pb2 import Duration

from shared.errors import DataLoss, FailedPrecondition, NotFound, Unavailable
from tests.integration.images.world import World, fresh, world
from tests.integration.toolforge.workshop import failure

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]


def images_dir(here: World) -> Path:
    return here.stack.data_dir / "supervisor" / "images"


def file_of(here: World, name: str) -> Path:
    return images_dir(here) / f"{name.removeprefix('images/')}.batimage"


async def test_a_living_system_is_put_back_and_forward_again(here):
    told = await here.say("My boat is called Ondine.")
    await here.register("add")
    request_id = fresh()
    image = await here.save(request_id)
    assert image == await here.save(request_id)  # the same request is the same image
    assert [i.name for i in await here.images()] == [image.name]
    assert {part.service for part in image.parts} == {
        "memory",
        "supervisor",
        "toolforge",
        "trainer",
    }
    later = await here.say("My car is called Bertha.")
    await here.register("subtract", "a - b")
    lease = await here.supervisor.GetPersona(pb.GetPersonaRequest(name="BRICK"))
    sequences = [event.sequence for event in await here.events()]

    load_id = fresh()
    loaded = await here.load(image.name, request_id=load_id)
    assert await here.somas() == {told.soma}
    assert await here.tools() == {"tools/add"}
    assert "My car is called Bertha." not in await here.remembered("car")
    assert (await here.say("What is my boat called?")).turn.recollections[0].soma == told.soma
    # Sequences and generations go on behind all that anybody has seen.
    news = [e for e in await here.events() if e.sequence > max(sequences)]
    assert news[0].kind == pb.EVENT_KIND_IMAGE_LOADED
    again = await here.supervisor.GetPersona(pb.GetPersonaRequest(name="BRICK"))
    assert again.persona.model.generation > lease.persona.model.generation
    # The same request is not a second load: what was said since stays.
    assert await here.load(image.name, request_id=load_id) == loaded
    assert len(await here.somas()) == 2

    assert loaded.previous.name in {i.name for i in await here.images()}
    await here.load(loaded.previous.name, discard_current=True)
    assert {told.soma, later.soma} <= await here.somas()
    assert await here.tools() == {"tools/add", "tools/subtract"}
    for _ in range(100):
        if "My car is called Bertha." in await here.remembered("car"):
            break
        await asyncio.sleep(0.1)
    assert "My car is called Bertha." in await here.remembered("car")


async def test_an_image_is_all_that_is_needed(here, tmp_path):
    told = await here.say("My boat is called Ondine.")
    await here.register("add")
    name = (await here.save()).name
    await here.stack.stop()
    elsewhere = tmp_path / "images"
    elsewhere.mkdir()
    shutil.move(file_of(here, name), elsewhere)
    shutil.rmtree(here.stack.data_dir)
    async with world(tmp_path / "b", BATOS_SUPERVISOR_IMAGES_DIR=str(elsewhere)) as there:
        loaded = await there.load(name, discard_current=True)
        assert not loaded.HasField("previous")
        assert not loaded.missing_models
        assert await there.somas() == {told.soma}
        assert await there.tools() == {"tools/add"}
        asked = await there.say("What is my boat called?")
        assert asked.turn.recollections[0].text == "My boat is called Ondine."
        assert (await there.say("And what colour is it?", asked.soma)).turn.number == 2
        await there.register("subtract", "a - b")
        assert there.stack.died() == []


async def test_the_fencing_token_only_grows(here):
    async def lease() -> int:
        request = pb.AcquireGpuLeaseRequest(
            request_id=fresh(), holder="trainingRuns/a", ttl=Duration(seconds=60)
        )
        token = (await here.supervisor.AcquireGpuLease(request)).lease.fencing_token
        await here.supervisor.ReleaseGpuLease(
            pb.ReleaseGpuLeaseRequest(request_id=fresh(), fencing_token=token)
        )
        return token

    image = await here.save()
    tokens = [await lease() for _ in range(3)]
    await here.load(image.name, discard_current=True)
    assert await lease() > max(tokens)


async def test_while_the_gpu_is_lent_nothing_is_loaded(here):
    image = await here.save()
    request = pb.AcquireGpuLeaseRequest(
        request_id=fresh(), holder="trainingRuns/a", ttl=Duration(seconds=60)
    )
    await here.supervisor.AcquireGpuLease(request)
    error = await failure(here.load(image.name))
    assert (type(error), error.reason) == (FailedPrecondition, "GPU_LEASED")


async def test_a_damaged_image_is_refused_and_nothing_changes(here):
    told = await here.say("My boat is called Ondine.")
    image = await here.save()
    path = file_of(here, image.name)
    content = bytearray(path.read_bytes())
    content[len(content) // 3] ^= 1
    path.write_bytes(content)
    for call in (
        here.load(image.name),
        here.supervisor.VerifyImage(pb.VerifyImageRequest(name=image.name)),
    ):
        error = await failure(call)
        assert isinstance(error, DataLoss)
        assert "is damaged" in error.message
    assert await here.somas() == {told.soma}
    assert len(await here.images()) == 1


async def test_a_file_that_is_no_image_is_not_listed_and_refused(here):
    (images_dir(here) / "text.batimage").write_text("I am an image.")
    (images_dir(here) / "empty.batimage").touch()
    assert await here.images() == []
    for name in ("images/text", "images/empty"):
        assert isinstance(await failure(here.load(name)), DataLoss)
    assert isinstance(await failure(here.load("images/absent")), NotFound)


async def test_a_service_that_is_away_is_named_and_nothing_is_left(here):
    image = await here.save()
    await here.stack.processes["toolforge"].kill()
    for call in (here.save(), here.load(image.name)):
        error = await failure(call)
        assert isinstance(error, Unavailable)
        assert error.message.startswith("toolforge: ")
    assert [path.name for path in images_dir(here).iterdir()] == [file_of(here, image.name).name]
    # Nobody stays frozen.
    assert (await here.say("Are you there?")).turn.number == 1
    await here.stack.processes["toolforge"].start()
    await here.tools()
    assert len({(await here.save()).name, image.name}) == 2


async def test_one_thing_at_a_time(here):
    results = await asyncio.gather(*(here.save() for _ in range(4)), return_exceptions=True)
    saved = [r for r in results if isinstance(r, pb.Image)]
    refused = [r for r in results if isinstance(r, grpc.aio.AioRpcError)]
    assert saved
    assert {e.code() for e in refused} <= {grpc.StatusCode.FAILED_PRECONDITION}
    assert len(saved) + len(refused) == 4


async def test_a_removed_image_is_gone_once(here):
    image = await here.save()
    request = pb.DeleteImageRequest(request_id=fresh(), name=image.name)
    for _ in range(2):
        await here.supervisor.DeleteImage(request)
    assert await here.images() == []
    other = pb.DeleteImageRequest(request_id=fresh(), name=image.name)
    assert isinstance(await failure(here.supervisor.DeleteImage(other)), NotFound)


async def test_who_leaves_during_a_save_leaves_nothing(here):
    call = here.supervisor.SaveImage(pb.SaveImageRequest(request_id=fresh()))
    await anext(aiter(call))
    call.cancel()
    for _ in range(100):
        if not list(images_dir(here).iterdir()):
            break
        await asyncio.sleep(0.05)
    # Either it was fast enough to be whole, or nothing is left.
    assert all(path.suffix == ".batimage" for path in images_dir(here).iterdir())
    assert (await here.say("Are you there?")).turn.number == 1


async def test_turns_go_on_while_images_are_saved(here):
    async def talk(number: int) -> list[pb.Finished]:
        return [await here.say(f"Fact {number}.{turn}.") for turn in range(4)]

    async def save() -> list[pb.Image]:
        return [await here.save() for _ in range(4)]

    *said, images = await asyncio.gather(*(talk(number) for number in range(4)), save())
    finished = [each for talker in said for each in talker]
    assert {f.soma for f in finished} <= await here.somas()
    assert len(images) == 4
    for image in images:
        await here.supervisor.VerifyImage(pb.VerifyImageRequest(name=image.name))


async def test_images_come_by_the_clock(tmp_path):
    settings = {
        "BATOS_SUPERVISOR_IMAGE_EVERY_HOURS": "24",
        "BATOS_SUPERVISOR_IMAGE_KEEP": "1",
    }
    async with world(tmp_path, **settings) as here:
        async with asyncio.timeout(40):
            while not (images := await here.images()):
                await asyncio.sleep(0.1)
        assert images[0].name.startswith("images/auto-")


async def test_a_folder_that_cannot_be_written_is_a_typed_error(tmp_path):
    async with world(tmp_path / "a") as here:
        shutil.rmtree(images_dir(here))
        images_dir(here).write_text("not a folder")
        error = await failure(here.save())
        assert error.reason
        assert (await here.say("Are you there?")).turn.number == 1


async def test_forgetting_names_the_images_that_still_hold_it(here: World) -> None:
    told = await here.say("The lighthouse keeper is called Fresnel.")
    async with asyncio.timeout(20):
        while not await here.remembered("lighthouse"):
            await asyncio.sleep(0.1)
    first, second = await here.save(), await here.save()
    request = memory_pb2.ForgetRequest(
        request_id=fresh(), namespace="personas/ROBIN", soma=told.soma
    )
    forgotten = await here.memory.Forget(request)
    assert forgotten.forgotten_count > 0
    assert list(forgotten.images) == sorted([first.name, second.name])
    assert await here.memory.Forget(request) == forgotten

    third = await here.save()  # cut after it was forgotten
    await here.supervisor.DeleteImage(pb.DeleteImageRequest(request_id=fresh(), name=first.name))
    await here.load(second.name, discard_current=True)
    assert await here.remembered("lighthouse")
    request.request_id = fresh()
    assert list((await here.memory.Forget(request)).images) == [second.name]
    assert third.name in {image.name for image in await here.images()}
