"""The manifests of deploy/kubernetes are valid, and agree with each other.

They need kubectl (Debian: kubernetes-client) and no cluster.
"""

import kubernetes_validate
import pytest

from deploy.local.topology import ALL_SERVICES
from tests.contract.kubernetes_manifests import (
    INSTALLER,
    OVERLAYS,
    SERVICES,
    VERSIONS,
    WORKLOADS,
    container,
    environment,
    of_kind,
    pods,
    rendered,
)


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("overlay", [*OVERLAYS, INSTALLER])
def test_every_object_is_valid(overlay, version):
    for each in rendered(overlay):
        kubernetes_validate.validate(each, version, strict=True)


def test_a_misspelt_field_would_be_seen():
    service = dict(of_kind(rendered("base"), "Service")["memory"])
    service["spec"] = service["spec"] | {"selectors": {}}
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(service, VERSIONS[0], strict=True)


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_ports_agree(overlay):
    objects = rendered(overlay)
    services = of_kind(objects, "Service")
    workloads = of_kind(objects, *WORKLOADS)
    assert set(services) == set(workloads)
    addresses = environment(objects, pods(objects)["memory"])
    for name, service in services.items():
        (port,) = service["spec"]["ports"]
        kind = "model-server" if name == "ollama" else name
        address = addresses[ALL_SERVICES[kind].address_variable]
        assert address.split("/")[-1] == f"{name}:{port['port']}"
        pod = pods(objects)[name]
        known = {p["name"]: p["containerPort"] for p in container(pod)["ports"]}
        assert known.pop(port["name"]) == port["port"]
        listen = {v for k, v in environment(objects, pod).items() if k.endswith("_LISTEN")}
        assert listen in ({f"0.0.0.0:{p}" for p in (port["port"], *known.values())}, set())
        labels = workloads[name]["spec"]["template"]["metadata"]["labels"]
        assert service["spec"]["selector"].items() <= labels.items()


def test_clients_find_every_sandbox_executor():
    services = of_kind(rendered("base"), "Service")
    assert services["sandbox-executor"]["spec"]["clusterIP"] == "None"
    found = environment(rendered("base"), pods(rendered("base"))["toolforge"])
    assert found["BATOS_SANDBOX_ADDRESS"].startswith("dns:///")


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_who_holds_a_directory_stands_alone_and_keeps_it(overlay):
    objects = rendered(overlay)
    stateful = of_kind(objects, "StatefulSet")
    assert set(stateful) == {*SERVICES, "ollama"} - {"sandbox-executor"}
    for name, workload in stateful.items():
        spec = workload["spec"]
        assert spec["replicas"] == 1
        assert spec["serviceName"] == name
        (claim,) = spec["volumeClaimTemplates"]
        mounts = container(spec["template"]["spec"])["volumeMounts"]
        assert {"name": claim["metadata"]["name"], "mountPath": "/data"} in mounts


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_budgets_cover_every_pod_once(overlay):
    objects = rendered(overlay)
    budgets = of_kind(objects, "PodDisruptionBudget").values()
    for workload in of_kind(objects, *WORKLOADS).values():
        labels = workload["spec"]["template"]["metadata"]["labels"]
        over = [
            b for b in budgets if b["spec"]["selector"]["matchLabels"].items() <= labels.items()
        ]
        assert [b["spec"]["maxUnavailable"] for b in over] == [1]
