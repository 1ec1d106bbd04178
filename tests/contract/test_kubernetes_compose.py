"""The manifests are the same system as docker-compose.yml."""

import tomllib

import pytest

from deploy.local.topology import ALL_SERVICES
from tests.contract.kubernetes_manifests import (
    EMBEDDED,
    INSTALLER,
    OVERLAYS,
    ROOT,
    SERVICES,
    bytes_of,
    compose,
    container,
    environment,
    pods,
    rendered,
    seconds,
    settings_of,
    variables_of,
)


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_whatever_stays_up_in_compose_has_its_workload(overlay):
    # The gateway runs on the owner's machine. Certificates come as Secrets, so nothing in the
    # cluster holds the authority's key.
    assert set(pods(rendered(overlay))) == set(compose()) - {"identity", "gateway"}


@pytest.mark.parametrize("name", SERVICES)
def test_variables_are_those_of_compose(name):
    objects = rendered("base")
    expected = {key: value or "" for key, value in compose()[name]["environment"].items()}
    assert environment(objects, pods(objects)[name]) == expected


def test_the_model_server_s_variables_are_those_of_compose():
    objects = rendered("overlays/embedded")
    found = environment(objects, pods(objects)["ollama"])
    expected = compose(EMBEDDED)["ollama"]["environment"]
    assert found == {key: value or "" for key, value in expected.items()}


@pytest.mark.parametrize("name", SERVICES)
def test_services_know_their_variables_and_take_their_values(name, monkeypatch):
    objects = rendered("base")
    given = environment(objects, pods(objects)[name])
    everyone = {known for each in ALL_SERVICES for known in variables_of(each)}
    assert set(given) - everyone <= {"HF_HOME", "TMPDIR"}
    own = {key for key in given if key.startswith(ALL_SERVICES[name].prefix)}
    for key, value in given.items():
        monkeypatch.setenv(key, value)
    settings = settings_of(name)()
    known = variables_of(name)
    # Addresses of others share the prefix of the service that they lead to.
    for key in own - {ALL_SERVICES[name].address_variable}:
        assert key in known
    for key in set(given) & set(known):
        taken = getattr(settings, known[key])
        assert taken == type(taken)(given[key])


@pytest.mark.parametrize("name", SERVICES)
def test_probes_ask_as_compose_does(name):
    probe = compose()[name]["healthcheck"]
    own = container(pods(rendered("base"))[name])
    for kind in ("startupProbe", "readinessProbe"):
        assert own[kind]["exec"]["command"] == probe["test"][1:]
        assert own[kind]["timeoutSeconds"] == seconds(probe["timeout"])
    assert own["readinessProbe"]["periodSeconds"] == seconds(probe["interval"])
    start = own["startupProbe"]
    assert start["periodSeconds"] * start["failureThreshold"] == seconds(probe["start_period"])


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_limits_and_the_time_to_stop_are_those_of_compose(overlay):
    for name, pod in pods(rendered(overlay)).items():
        known = compose()[name]
        if overlay.endswith("embedded"):
            known = known | compose(EMBEDDED).get(name, {})
        resources = container(pod)["resources"]
        limit = resources.get("limits", {}).get("memory")
        assert (limit and bytes_of(limit)) == (
            bytes_of(m) if (m := known.get("mem_limit")) else None
        )
        # Ten seconds is what Docker gives who says nothing.
        grace = seconds(known.get("stop_grace_period", "10s"))
        assert pod["terminationGracePeriodSeconds"] == grace
        (tmp,) = [v["emptyDir"] for v in pod["volumes"] if v["name"] == "tmp"]
        assert tmp == {"medium": "Memory", "sizeLimit": "64Mi"}
        weight = 250 if name == "sandbox-executor" else 500
        assert resources["requests"]["cpu"] == f"{weight}m"


def test_the_gpu_goes_to_those_who_have_it_in_compose():
    with_gpu = set(compose("deploy/compose.gpu.yml"))
    for name, pod in pods(rendered("overlays/gpu")).items():
        limits = container(pod)["resources"].get("limits", {})
        assert limits.get("nvidia.com/gpu") == (1 if name in with_gpu else None)
        assert ("nodeSelector" in pod, "tolerations" in pod) == (name in with_gpu,) * 2


@pytest.mark.parametrize("overlay", [*OVERLAYS, INSTALLER])
def test_images_are_those_of_compose_in_this_version(overlay):
    version = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["version"]
    known = {each["image"] for each in compose().values()}
    known |= {compose(EMBEDDED)["ollama"]["image"]}
    known |= {compose("deploy/compose.gpu.yml")["trainer"]["image"]}
    ours = {f"{image}:{version}" if image.startswith("batos/") else image for image in known}
    assert {container(pod)["image"] for pod in pods(rendered(overlay)).values()} <= ours
