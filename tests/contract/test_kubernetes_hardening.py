"""What pods may not do, and the sandbox-executor's exceptions."""

import json

import pytest

from tests.contract.kubernetes_manifests import (
    INSTALLER,
    OVERLAYS,
    ROOT,
    container,
    environment,
    of_kind,
    pods,
    rendered,
)


@pytest.mark.parametrize("overlay", [*OVERLAYS, INSTALLER])
def test_nobody_is_root_or_has_a_capability_or_can_write_to_the_image(overlay):
    for name, pod in pods(rendered(overlay)).items():
        mine, own = pod["securityContext"], container(pod)["securityContext"]
        assert mine["seccompProfile"] == {"type": "RuntimeDefault"}
        assert own["capabilities"] == {"drop": ["ALL"]}
        assert own["readOnlyRootFilesystem"] is True
        assert own["allowPrivilegeEscalation"] is False
        assert "privileged" not in own
        assert pod["automountServiceAccountToken"] is False
        assert pod["enableServiceLinks"] is False
        assert not {"hostNetwork", "hostPID", "hostIPC", "runtimeClassName"} & set(pod)
        host = [v["hostPath"]["path"] for v in pod["volumes"] if "hostPath" in v]
        if name == INSTALLER:
            assert (mine["runAsUser"], host) == (0, ["/var/lib/kubelet/seccomp/batos"])
            continue
        assert (mine["runAsNonRoot"], mine["runAsUser"], host) == (True, 10001, [])
        assert mine["fsGroup"] == 10001


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_the_sandbox_s_exceptions_are_its_own(overlay):
    for name, pod in pods(rendered(overlay)).items():
        own = container(pod)["securityContext"]
        exceptions = own.get("seccompProfile"), own.get("appArmorProfile"), pod.get("hostUsers")
        if name != "sandbox-executor":
            assert exceptions == (None, None, None)
            continue
        profile = {"type": "Localhost", "localhostProfile": "batos/sandbox-executor.json"}
        assert exceptions == (profile, {"type": "Unconfined"}, False)


def test_the_profile_is_installed_where_the_pod_looks_for_it():
    objects = rendered(INSTALLER)
    profile = (ROOT / "deploy/seccomp/sandbox-executor.json").read_text("utf-8")
    data = of_kind(objects, "ConfigMap")["seccomp-profiles"]["data"]
    assert data == {"sandbox-executor.json": profile}
    pod = pods(objects)[INSTALLER]
    (folder,) = [v["hostPath"]["path"] for v in pod["volumes"] if "hostPath" in v]
    target = environment(objects, pod)["TARGET"]
    sandbox = container(pods(rendered("base"))["sandbox-executor"])["securityContext"]
    wanted = sandbox["seccompProfile"]["localhostProfile"]
    assert f"{folder}/{target.removeprefix('/target/')}" == f"/var/lib/kubelet/seccomp/{wanted}"


def test_the_profile_says_nothing_that_only_docker_reads():
    """containerd reads it as the OCI's own format, which has no conditions on capabilities."""
    profile = json.loads((ROOT / "deploy/seccomp/sandbox-executor.json").read_text("utf-8"))
    for rule in profile["syscalls"]:
        assert set(rule) <= {"names", "action", "errnoRet", "args", "comment"}, rule["names"][:3]
