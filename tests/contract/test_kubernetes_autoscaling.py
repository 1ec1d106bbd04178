"""The kustomization that docs/kubernetes.md has its reader write, and the autoscaler in it."""

import re
import shutil
from pathlib import Path

import kubernetes_validate
import pytest
import yaml

from services.sandbox_executor import metrics
from tests.contract.kubernetes_manifests import (
    KUBERNETES,
    ROOT,
    VERSIONS,
    built,
    container,
    environment,
    of_kind,
    pods,
    variables_of,
)

DOCUMENT = (ROOT / "docs/kubernetes.md").read_text("utf-8")


@pytest.fixture(scope="module")
def of_the_owner(tmp_path_factory):
    """The document's own kustomization, beside ours."""
    deploy = tmp_path_factory.mktemp("checkout") / "deploy"
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "deploy/seccomp", deploy / "seccomp", ignore=ignored)
    shutil.copytree(KUBERNETES, deploy / "kubernetes", ignore=ignored)
    folder = deploy / "kubernetes/overlays/mine"
    folder.mkdir()
    (text,) = re.findall(r"```yaml\n(.*?kind: Kustomization\n.*?)```", DOCUMENT, re.S)
    (folder / "kustomization.yaml").write_text(text)
    return built(folder)


def test_the_document_s_kustomization_is_valid_and_names_every_image(of_the_owner):
    for each in of_the_owner:
        kubernetes_validate.validate(each, VERSIONS[0], strict=True)
    images = {container(pod)["image"] for pod in pods(of_the_owner).values()}
    assert {image for image in images if not image.startswith("registry.example/batos/")} == {
        "ollama/ollama:0.32.14"
    }
    (claim,) = of_kind(of_the_owner, "StatefulSet")["memory"]["spec"]["volumeClaimTemplates"]
    assert claim["spec"]["storageClassName"] == "fast"


def test_the_autoscaler_scales_what_is_there_by_a_metric_that_is_let_through(of_the_owner):
    (scaler,) = of_kind(of_the_owner, "HorizontalPodAutoscaler").values()
    target = scaler["spec"]["scaleTargetRef"]
    workload = of_kind(of_the_owner, target["kind"])[target["name"]]
    assert target["apiVersion"] == workload["apiVersion"]
    assert "replicas" not in workload["spec"]
    pod = workload["spec"]["template"]
    listen = environment(of_the_owner, pod["spec"])["BATOS_SANDBOX_METRICS_LISTEN"]
    port = int(listen.rpartition(":")[2])
    assert {"name": "metrics", "containerPort": port} in container(pod["spec"])["ports"]
    assert pod["metadata"]["annotations"]["prometheus.io/port"] == str(port)
    (rule,) = of_kind(of_the_owner, "NetworkPolicy")["metrics"]["spec"]["ingress"]
    assert rule["ports"] == [{"protocol": "TCP", "port": port}]
    assert all({"namespaceSelector", "podSelector"} == set(peer) for peer in rule["from"])


def test_the_autoscaler_s_metric_is_one_that_the_adapter_s_rule_finds(of_the_owner):
    (scaler,) = of_kind(of_the_owner, "HorizontalPodAutoscaler").values()
    (metric,) = scaler["spec"]["metrics"]
    (text,) = re.findall(r"```yaml\n(rules:\n.*?)```", DOCUMENT, re.S)
    (rule,) = yaml.safe_load(text)["rules"]["custom"]
    assert rule["name"]["matches"] == metric["pods"]["metric"]["name"]
    assert rule["seriesQuery"].startswith(metric["pods"]["metric"]["name"])


def test_the_sandbox_executor_has_the_autoscaler_s_metric(of_the_owner):
    (scaler,) = of_kind(of_the_owner, "HorizontalPodAutoscaler").values()
    (metric,) = scaler["spec"]["metrics"]
    source = Path(metrics.__file__).read_text("utf-8")
    assert f'"{metric["pods"]["metric"]["name"]}"' in source
    assert "BATOS_SANDBOX_METRICS_LISTEN" in variables_of("sandbox-executor")
