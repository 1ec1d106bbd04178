"""What the images hold, and how large they are."""

import json
import tomllib

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from packaging.utils import canonicalize_name

from deploy.lock.lockfile import versions
from deploy.sbom.bill import bill
from deploy.sbom.image import NAMES, examine
from tests.e2e.compose import BASE, IMAGES, ROOT, Compose, docker

MEGABYTE = 1_000_000
BUDGETS = tomllib.loads((ROOT / "deploy" / "image_sizes.toml").read_text())["megabytes"]


def test_the_lists_of_images_agree():
    assert set(NAMES) == set(IMAGES) == set(BUDGETS)


@pytest.mark.parametrize("image", IMAGES)
def test_an_image_is_within_its_budget(compose: Compose, figures, image):
    megabytes = (size_of(f"batos/{image}") - size_of(BASE)) / MEGABYTE
    figures.append(
        (f"image {image}", f"{megabytes:.0f} MB above the base, {BUDGETS[image]} allowed")
    )
    assert 0 < megabytes <= BUDGETS[image]


@pytest.mark.parametrize("image", IMAGES)
def test_a_bill_of_materials_is_valid_and_complete(compose: Compose, figures, image):
    text = bill(examine(image))
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None
    components = json.loads(text)["components"]
    ours = {canonicalize_name(c["name"]): c for c in components if in_environment(c)}
    locked = versions("torch-cuda") | versions(image)
    # Removed again by the recipe: nothing is built in an image.
    assert set(versions(image)) - set(ours) <= {"setuptools"}
    for name, component in ours.items():
        assert component["version"].removesuffix("+cpu") == locked[name]
        assert component["hashes"], name
        assert component["licenses"], name
    assert "libc6" in {c["name"] for c in components if c["purl"].startswith("pkg:deb/debian/")}
    figures.append((f"components in {image}", str(len(components))))


def test_the_bill_has_the_grpcio_that_is_running(compose: Compose):
    said = compose.python("memory", "import grpc; print(grpc.__version__)").strip()
    (grpcio,) = components_named("memory", "grpcio")
    assert grpcio["version"] == said
    digest = grpcio["hashes"][0]["content"]
    assert digest in (ROOT / "deploy" / "locks" / "memory.txt").read_text()


def test_the_executor_s_bill_has_its_gvisor(compose: Compose):
    said = compose.run(
        *("exec", "--no-TTY", "sandbox-executor", "/opt/batos/gvisor/runsc", "--version")
    )
    (gvisor,) = components_named("sandbox-executor", "gvisor")
    assert gvisor["version"] in said
    assert components_named("memory", "gvisor") == []


def test_the_same_image_has_the_same_bill(compose: Compose):
    assert bill(examine("toolforge")) == bill(examine("toolforge"))


def size_of(image: str) -> int:
    return int(docker("image", "inspect", "--format", "{{.Size}}", image))


def components_named(image: str, name: str) -> list[dict]:
    return [c for c in json.loads(bill(examine(image)))["components"] if c["name"] == name]


def in_environment(component: dict) -> bool:
    folders = [each["value"] for each in component.get("properties", [])]
    return any(folder.startswith("/opt/venv/") for folder in folders)
