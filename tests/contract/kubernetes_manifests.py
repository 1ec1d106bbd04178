"""The manifests as kubectl renders them, and compose's file, for the tests that compare the two."""

import importlib
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from deploy.local.topology import ALL_SERVICES
from shared.settings import variable

ROOT = Path(__file__).resolve().parents[2]
KUBERNETES = ROOT / "deploy/kubernetes"
OVERLAYS = ("base", "overlays/gpu", "overlays/embedded")
SERVICES = ("memory", "sandbox-executor", "toolforge", "trainer", "supervisor")
WORKLOADS = ("StatefulSet", "Deployment", "DaemonSet")
INSTALLER = "seccomp-installer"
EMBEDDED = "deploy/compose.embedded.yml"
# The oldest that gives every pod what is asked of it here (user namespaces), and the newest known.
VERSIONS = ("1.33", "1.37")

Object = dict[str, Any]


def require_kubectl() -> None:
    """Skips where there is no kubectl; in continuous integration that is a failure."""
    if shutil.which("kubectl"):
        return
    missing = "kubectl renders the manifests (Debian: apt-get install kubernetes-client)"
    if os.environ.get("CI"):
        pytest.fail(missing)
    pytest.skip(missing)


@cache
def rendered(overlay: str) -> tuple[Object, ...]:
    """The objects of a folder below deploy/kubernetes."""
    return built(KUBERNETES / overlay)


def built(folder: Path) -> tuple[Object, ...]:
    """The objects of any kustomization; fails with kubectl's own words."""
    require_kubectl()
    done = subprocess.run(
        ["kubectl", "kustomize", folder], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "Warning" not in done.stderr
    return tuple(yaml.safe_load_all(done.stdout))


def of_kind(objects: tuple[Object, ...], *kinds: str) -> dict[str, Object]:
    """Objects of these kinds by name."""
    return {o["metadata"]["name"]: o for o in objects if o["kind"] in kinds}


def pods(objects: tuple[Object, ...]) -> dict[str, Object]:
    """The pods' specs by the name of their workload."""
    found = of_kind(objects, *WORKLOADS)
    return {name: workload["spec"]["template"]["spec"] for name, workload in found.items()}


def container(pod: Object) -> Object:
    """The only container of a pod."""
    (only,) = [*pod["containers"], *pod.get("initContainers", [])]
    return only


def environment(objects: tuple[Object, ...], pod: Object) -> dict[str, str]:
    """The variables that a pod's container sees."""
    maps = of_kind(objects, "ConfigMap")
    seen: dict[str, str] = {}
    for source in container(pod).get("envFrom", []):
        seen |= maps[source["configMapRef"]["name"]]["data"]
    return seen | {each["name"]: each["value"] for each in container(pod).get("env", [])}


class _Compose(yaml.SafeLoader):
    """YAML with compose's `!override`, which takes the place of what the first file says."""


def _overriding(loader: yaml.SafeLoader, node: yaml.Node) -> Any:
    if isinstance(node, yaml.MappingNode):
        return loader.construct_mapping(node, deep=True)
    assert isinstance(node, yaml.SequenceNode)
    return loader.construct_sequence(node, deep=True)


_Compose.add_constructor("!override", _overriding)


@cache
def compose(file: str = "docker-compose.yml") -> dict[str, Object]:
    """The containers of a compose file that stay up, with defaults in place of variables."""
    text = re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", (ROOT / file).read_text("utf-8"))
    services = yaml.load(text, _Compose)["services"]  # a SafeLoader
    return {name: each for name, each in services.items() if "profiles" not in each}


def seconds(duration: str) -> int:
    """Compose's duration, as in "20s"."""
    return int(duration.removesuffix("s"))


def bytes_of(size: str) -> int:
    """Compose's "2g" and Kubernetes' "2Gi" alike: both are powers of 1,024."""
    number, unit = re.fullmatch(r"(\d+)([kmgKMG])i?", size).groups()
    return int(number) << {"k": 10, "m": 20, "g": 30}[unit.lower()]


def names_selected(selector: Object) -> Iterator[str]:
    """The pods' names that a selector of ours takes."""
    name = "app.kubernetes.io/name"
    yield from filter(None, [selector.get("matchLabels", {}).get(name)])
    for expression in selector.get("matchExpressions", []):
        assert (expression["key"], expression["operator"]) == (name, "In")
        yield from expression["values"]


def settings_of(name: str) -> Any:
    """The class of a service's settings."""
    module = importlib.import_module(f"{ALL_SERVICES[name].module}.settings")
    classes = [each for each in vars(module).values() if isinstance(each, type)]
    (found,) = [each for each in classes if each.__module__ == module.__name__]
    return found


def variables_of(name: str) -> dict[str, str]:
    """Its variables, and the fields that they set."""
    cls = settings_of(name)
    return {variable(cls, field, info): field for field, info in cls.model_fields.items()}
