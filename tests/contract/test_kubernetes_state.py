"""What manifests cannot hold, and what they run."""

import base64
import json
import os
import subprocess
import sys
import time

import kubernetes_validate
import pytest
from cryptography import x509

from shared.identity import IdentityDirectory
from tests.contract.kubernetes_manifests import (
    INSTALLER,
    OVERLAYS,
    ROOT,
    SERVICES,
    VERSIONS,
    container,
    environment,
    of_kind,
    pods,
    rendered,
)


def run(*arguments, **variables):
    return subprocess.run(
        [sys.executable, "-m", *map(str, arguments)],
        cwd=ROOT,
        env=os.environ | variables,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def issue(root):
    done = run("deploy.identity", "issue", "--root", root, *SERVICES, "operator")
    assert done.returncode == 0, done.stderr


def sent(root, codex="deploy/codex.toml"):
    done = run("deploy.kubernetes", "--identities", root, "--codex", codex)
    assert done.returncode == 0, done.stderr
    return tuple(json.loads(done.stdout)["items"])


@pytest.fixture(scope="module")
def identities(tmp_path_factory):
    root = tmp_path_factory.mktemp("identities")
    issue(root)
    return root


@pytest.fixture(scope="module")
def objects(identities):
    return sent(identities)


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_whatever_pods_refer_to_is_rendered_or_sent(overlay, objects):
    known = of_kind((*rendered(overlay), *objects), "ConfigMap", "Secret")
    for pod in pods(rendered(overlay)).values():
        for volume in pod["volumes"]:
            if "secret" in volume:
                assert known[volume["secret"]["secretName"]]["kind"] == "Secret"
            if "configMap" in volume:
                assert known[volume["configMap"]["name"]]["kind"] == "ConfigMap"


def test_what_is_sent_is_valid_and_goes_where_the_pods_are(objects):
    (namespace,) = of_kind(rendered("base"), "Namespace")
    for each in objects:
        kubernetes_validate.validate(each, VERSIONS[0], strict=True)
        assert each["metadata"]["namespace"] == namespace


def test_neither_the_authority_s_key_nor_the_owner_s_identity_is_sent(identities, objects):
    secrets = of_kind(objects, "Secret")
    assert set(secrets) == {f"{name}-identity" for name in SERVICES}
    content = b"".join(base64.b64decode(v) for s in secrets.values() for v in s["data"].values())
    for file in ("authority/authority-key.pem", "operator/identity.pem"):
        assert (identities / file).read_bytes() not in content


def mount(folder, secret):
    """Writes a Secret as the kubelet does: a folder per version, and one link that moves."""
    version = folder / f"..{time.monotonic_ns()}"
    version.mkdir(parents=True)
    for name, value in secret["data"].items():
        (version / name).write_bytes(base64.b64decode(value))
        if not (folder / name).is_symlink():
            (folder / name).symlink_to(f"..data/{name}")
    (folder / "..data_tmp").symlink_to(version.name)
    (folder / "..data_tmp").replace(folder / "..data")


def test_services_read_their_identity_from_a_secret_s_volume_and_see_it_renewed(tmp_path):
    root, folder = tmp_path / "root", tmp_path / "volume"
    issue(root)
    mount(folder, of_kind(sent(root), "Secret")["memory-identity"])
    directory = IdentityDirectory(folder)
    first = directory.identity
    assert not directory.refresh()
    (root / "memory/identity.pem").unlink()
    issue(root)
    mount(folder, of_kind(sent(root), "Secret")["memory-identity"])
    assert directory.refresh()
    assert directory.identity.certificate != first.certificate
    assert directory.identity.authority == first.authority


@pytest.mark.parametrize("name", SERVICES)
def test_a_certificate_names_the_service_that_clients_ask_for(name, identities):
    certificate = x509.load_pem_x509_certificate(
        IdentityDirectory(identities / name).identity.certificate
    )
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert name in of_kind(rendered("base"), "Service")
    # The second is what the probe asks for by address, and a forwarded port by name.
    assert {name, "localhost"} <= set(names.get_values_for_type(x509.DNSName))
    assert "127.0.0.1" in map(str, names.get_values_for_type(x509.IPAddress))


def test_an_identity_that_is_not_there_or_a_broken_codex_is_refused_in_words(identities, tmp_path):
    empty = run("deploy.kubernetes", "--identities", tmp_path)
    assert (empty.returncode, empty.stdout) == (1, "")
    assert "no identity in" in empty.stderr
    (tmp_path / "codex.toml").write_text("[personas.ALFRED]\n")
    command = ("deploy.kubernetes", "--identities", identities, "--codex")
    broken = run(*command, tmp_path / "codex.toml")
    assert (broken.returncode, broken.stdout) == (1, "")
    assert "codex" in broken.stderr.lower()


def test_the_codex_lies_where_the_supervisor_looks(objects):
    base = rendered("base")
    pod = pods(base)["supervisor"]
    (codex,) = of_kind(objects, "ConfigMap").values()
    assert codex["data"] == {"codex.toml": (ROOT / "deploy/codex.toml").read_text("utf-8")}
    (place,) = [m for m in container(pod)["volumeMounts"] if m["name"] == "codex"]
    assert "subPath" not in place  # such a file would never change
    assert environment(base, pod)["BATOS_SUPERVISOR_CODEX"] == f"{place['mountPath']}/codex.toml"


def test_the_trainer_makes_its_folder_on_an_empty_volume(tmp_path):
    command = container(pods(rendered("base"))["trainer"])["command"]
    variables = {"TMPDIR": str(tmp_path / "data/tmp"), "BATOS_MODULE": "this"}
    done = subprocess.run(
        command, env=os.environ | variables, capture_output=True, text=True, timeout=30, check=False
    )
    assert (done.returncode, "Zen" in done.stdout) == (0, True), done.stderr
    assert (tmp_path / "data/tmp").is_dir()


def test_the_installer_copies_the_profile_and_stops_when_told(tmp_path):
    own = container(pods(rendered(INSTALLER))[INSTALLER])
    source, target = tmp_path / "source.json", tmp_path / "target.json"
    source.write_text("{}")
    variables = os.environ | {"SOURCE": str(source), "TARGET": str(target)}
    probe = own["readinessProbe"]["exec"]["command"]
    assert subprocess.run(probe, env=variables, check=False, stderr=-3).returncode != 0
    with subprocess.Popen(own["command"], env=variables, start_new_session=True) as process:
        deadline = time.monotonic() + 10
        while not target.exists() and time.monotonic() < deadline:
            time.sleep(0.02)
        assert target.read_text() == "{}"
        assert subprocess.run(probe, env=variables, check=False).returncode == 0
        process.terminate()
        assert process.wait(10) == 0
