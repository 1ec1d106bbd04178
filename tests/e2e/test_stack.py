"""From images to a working whole, and what the images and containers are."""

import json
import time
import uuid
from datetime import datetime

import grpc
import openai
import pytest
from batos.supervisor.v1 import supervisor_pb2
from batos.supervisor.v1.supervisor_pb2_grpc import SupervisorServiceStub

from shared.channel import open_channel
from tests.e2e.compose import EDGE, SERVICES, Compose, docker


def test_all_is_healthy_within_a_minute(compose: Compose):
    assert compose.healthy_seconds < 60


@pytest.mark.timeout(300)
def test_the_demo_s_first_five_steps(compose: Compose, figures):
    told = compose.run(
        *("--profile", "demo", "run", "--rm", "--no-TTY", "demo", "python", "-m", "demo"),
        *("--connect", "--data-dir", "/data/demo", "--seed", "1", "--until", "lack"),
        seconds=280,
    )
    print(told)
    assert "23 claims, all proven" in told
    figures.append(("demo, steps 1 to 5", told.split("all proven, in ")[1].split(" ─")[0]))


def test_cold_starts_are_told(compose: Compose, figures):
    for service in SERVICES:
        seconds = cold_start(compose, service)
        figures.append((f"cold start {service}", f"{seconds:.1f} s"))
        assert 0 < seconds < 30


async def test_the_owner_reaches_the_supervisor_from_the_host_with_his_identity(
    compose: Compose, tmp_path
):
    compose.run("cp", "identity:/identities/operator", str(tmp_path / "operator"))
    address = f"127.0.0.1:{compose.ports['supervisor']}"
    request = supervisor_pb2.ListPersonasRequest()
    async with open_channel(address, tmp_path / "operator") as channel:
        personas = (await SupervisorServiceStub(channel).ListPersonas(request)).personas
    assert [persona.name for persona in personas] == ["ALFRED", "BABS", "BRICK", "ROBIN"]
    async with open_channel(address) as channel:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await SupervisorServiceStub(channel).ListPersonas(request, timeout=5)
    assert caught.value.code() is grpc.StatusCode.UNAVAILABLE


def test_programs_that_know_openai_s_api_reach_a_persona_from_the_host(compose: Compose):
    url = f"http://127.0.0.1:{compose.ports['gateway']}/v1"
    with openai.OpenAI(base_url=url, api_key="none") as gpt:
        said = [{"role": "user", "content": "Good morning."}]
        assert gpt.chat.completions.create(model="ROBIN", messages=said).usage.completion_tokens


@pytest.mark.parametrize("extra", [[], ["deploy/compose.gpu.yml"], ["deploy/compose.embedded.yml"]])
def test_every_way_to_start_it_is_a_valid_one(extra):
    files = [part for file in ["docker-compose.yml", *extra] for part in ("--file", file)]
    config = json.loads(docker("compose", *files, "config", "--format", "json"))
    assert set(config["services"]) == {*SERVICES, *EDGE, "identity", "ollama"}
    image = config["services"]["ollama"]["image"]
    assert image == ("batos/model-server" if "embedded" in str(extra) else "ollama/ollama:0.32.14")
    for name in ("ollama", "trainer"):
        reserved = config["services"][name].get("deploy", {}).get("resources", {})
        devices = reserved.get("reservations", {}).get("devices", [])
        assert [d["driver"] for d in devices] == (["nvidia"] if "gpu" in str(extra) else [])


def cold_start(compose: Compose, service: str) -> float:
    """From the container's start to the log line that says SERVING."""
    (container,) = compose.containers(service)
    started = moment(container["State"]["StartedAt"])
    for line in compose.run("logs", "--no-log-prefix", "--no-color", service).splitlines():
        event = json.loads(line[line.find("{") :]) if "{" in line else {}
        if event.get("event") == "health" and event["serving"]:
            return (moment(event["timestamp"]) - started).total_seconds()
    raise AssertionError(f"{service} never said that it serves")


def moment(text: str) -> datetime:
    """Docker writes nanoseconds, which datetime does not read."""
    head, _, fraction = text.rstrip("Z").partition(".")
    return datetime.fromisoformat(f"{head}.{fraction[:6].ljust(6, '0')}+00:00")


def test_images_are_saved_and_listed_from_the_command_line(compose: Compose):
    images = ("run", "--rm", "--no-TTY", "images")
    saved = json.loads(compose.run(*images, "save", "--note", "by hand", "--json"))
    listed = json.loads(compose.run(*images, "list", "--json"))["images"]
    assert saved in listed
    compose.run(*images, "delete", saved["name"])


@pytest.mark.timeout(200)
async def test_an_image_puts_all_containers_back(compose: Compose, tmp_path, figures):
    compose.run("cp", "identity:/identities/operator", str(tmp_path / "operator"))
    address = f"127.0.0.1:{compose.ports['supervisor']}"
    async with open_channel(address, tmp_path / "operator") as channel:
        stub = SupervisorServiceStub(channel)
        told = await turn(stub, "My boat is called Ondine.")
        request = supervisor_pb2.SaveImageRequest(request_id=str(uuid.uuid4()))
        saved = [event async for event in stub.SaveImage(request)][-1].image
        later = await turn(stub, "My car is called Bertha.")
        begun = time.monotonic()
        load = supervisor_pb2.LoadImageRequest(request_id=str(uuid.uuid4()), name=saved.name)
        loaded = [event async for event in stub.LoadImage(load)][-1].loaded
        listing = supervisor_pb2.ListSomasRequest(persona="ROBIN", page_size=500)
        somas = (await stub.ListSomas(listing, wait_for_ready=True)).somas
        figures.append(("image loaded", f"{time.monotonic() - begun:.1f} s"))
        assert not loaded.missing_models
        names = {soma.name for soma in somas}
        assert told in names
        assert later not in names
        asked = await turn(stub, "What is my boat called?")
        soma = (await stub.GetSoma(supervisor_pb2.GetSomaRequest(name=asked))).soma
        recalled = [r.text for r in soma.turns[0].recollections]
    assert "My boat is called Ondine." in recalled


async def turn(stub: SupervisorServiceStub, text: str) -> str:
    """Says something to ROBIN; the Soma."""
    request = supervisor_pb2.ConverseRequest(
        request_id=str(uuid.uuid4()), persona="ROBIN", text=text
    )
    return [event async for event in stub.Converse(request)][-1].finished.soma
