"""What the containers may not do."""

import json
import re

import pytest

from deploy.seccomp.__main__ import ADDITIONS
from deploy.seccomp.effective import default_filter, filter_of, rules_of
from tests.e2e.compose import BASE, EDGE, IMAGES, PUBLISHED, SERVICES, Compose, docker

ALL = (*SERVICES, *EDGE, "ollama", "identity")

STATUS = """
import json
lines = open("/proc/self/status").read().splitlines()
print(json.dumps(dict(line.split(":\\t", 1) for line in lines if ":\\t" in line)))
"""
WRITE = """
import errno
try:
    open("/app/owned", "w")
except OSError as error:
    print(errno.errorcode[error.errno])
"""
REACH = """
import socket, sys
try:
    socket.create_connection((sys.argv[1], 80), timeout=5)
    print("reached")
except OSError as error:
    print(type(error).__name__)
"""


@pytest.mark.parametrize("service", ALL)
def test_nobody_is_root_or_has_a_capability_or_can_write_to_the_image(compose: Compose, service):
    status = json.loads(compose.python(service, STATUS))
    assert set(status["Uid"].split()) == {"10001"}
    assert {status[f"Cap{kind}"] for kind in ("Inh", "Prm", "Eff", "Bnd", "Amb")} == {"0" * 16}
    assert status["NoNewPrivs"] == "1"
    assert status["Seccomp"] == "2"
    assert compose.python(service, WRITE).strip() == "EROFS"


@pytest.mark.parametrize("service", ALL)
def test_nobody_has_the_docker_socket_or_a_folder_of_the_host(compose: Compose, service):
    for container in compose.containers(service):
        binds = [m["Source"] for m in container["Mounts"] if m["Type"] == "bind"]
        assert [b for b in binds if not b.endswith("/deploy/codex.toml")] == []
        assert not container["HostConfig"]["Privileged"]
        assert container["HostConfig"]["PidMode"] == ""
        assert container["HostConfig"]["Memory"] > 0
        assert container["HostConfig"]["PidsLimit"] > 0


def test_ports_are_published_on_the_loopback_only(compose: Compose):
    for service in ALL:
        for container in compose.containers(service):
            bound = container["HostConfig"]["PortBindings"] or {}
            hosts = {b["HostIp"] for bindings in bound.values() for b in bindings}
            assert hosts == ({"127.0.0.1"} if service in PUBLISHED else set())


def test_nobody_but_the_default_network_reaches_the_world(compose: Compose):
    """The archive that the base image names answers a plain container, and none of ours."""
    sources = docker(
        "run",
        "--rm",
        BASE,
        "sh",
        "-c",
        "cat /etc/apt/sources.list* /etc/apt/sources.list.d/* 2>/dev/null || true",
    )
    archive = re.search(r"https?://([^/\s]+)", sources)[1]
    host, _, port = archive.partition(":")
    reach = REACH.replace("80", port or "80")
    address = docker(
        "run", "--rm", BASE, "python", "-c", f"import socket; print(socket.gethostbyname({host!r}))"
    )
    assert docker("run", "--rm", BASE, "python", "-c", reach, address) == "reached"
    for service in ALL:
        program = f"import sys; sys.argv = ['', {address!r}]\n{reach}"
        assert compose.python(service, program).strip() != "reached", service


def test_the_sandbox_s_filter_is_docker_s_default_and_five_calls_more(compose: Compose):
    ours = rules_of(filter_of(compose.containers("sandbox-executor")[0]["Id"]))
    default = rules_of(default_filter(BASE))
    added = {(name, "SCMP_ACT_ALLOW", "[]") for name in ADDITIONS}
    assert ours - default == added
    # The one rule that is gone allowed clone without namespaces, which the new one does too.
    assert {name for name, _, _ in default - ours} == {"clone"}


@pytest.mark.parametrize("service", [s for s in ALL if s != "sandbox-executor"])
def test_everyone_else_has_docker_s_default_filter(compose: Compose, service):
    found = rules_of(filter_of(compose.containers(service)[0]["Id"]))
    assert found == rules_of(default_filter(BASE))


@pytest.mark.parametrize("image", IMAGES)
def test_no_image_holds_a_key(compose: Compose, image):
    look = "grep -rlE 'BEGIN ([A-Z]+ )?PRIVATE KEY' /app /data /run /identities 2>/dev/null || true"
    assert docker("run", "--rm", "--user", "0", f"batos/{image}", "sh", "-c", look) == ""


def test_only_its_keeper_sees_the_authority_s_key(compose: Compose):
    look = "import glob; print(*sorted(glob.glob('/run/batos/identity/*')))"
    expected = "/run/batos/identity/authority.pem /run/batos/identity/identity.pem"
    for service in (*SERVICES, *EDGE):
        assert compose.python(service, look).strip() == expected
        mounted = [m["Destination"] for m in compose.containers(service)[0]["Mounts"]]
        assert not [path for path in mounted if "authority" in path]
    (keeper,) = compose.containers("identity")
    assert list(keeper["NetworkSettings"]["Networks"]) == ["none"]
