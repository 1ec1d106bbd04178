from pathlib import Path
from typing import Any

from services.sandbox_executor.oci_bundle import GuestBounds, configuration

BOUNDS = GuestBounds(
    processes=8,
    open_files=32,
    scratch_bytes=1 << 20,
    file_bytes=1 << 18,
    cpu_seconds=60,
    memory_bytes=1 << 28,
)


def made() -> Any:
    return configuration(Path("/image"), "print()", ["math"], BOUNDS)


def test_the_guest_has_no_privilege() -> None:
    process = made()["process"]
    assert process["user"]["uid"] != 0
    assert process["noNewPrivileges"] is True
    assert set(map(tuple, process["capabilities"].values())) == {()}
    assert len(process["capabilities"]) == 5


def test_nothing_of_the_host_is_mounted() -> None:
    assert made()["root"] == {"path": "/image", "readonly": True}
    assert {mount["type"] for mount in made()["mounts"]} == {"proc", "tmpfs"}


def test_the_scratch_space_is_bounded() -> None:
    (scratch,) = [mount for mount in made()["mounts"] if mount["type"] == "tmpfs"]
    assert f"size={1 << 20}" in scratch["options"]
    assert {"nosuid", "nodev"} <= set(scratch["options"])


def test_it_has_namespaces_of_its_own() -> None:
    kinds = {namespace["type"] for namespace in made()["linux"]["namespaces"]}
    assert {"pid", "ipc", "uts", "mount", "network"} <= kinds


def test_limits_hold_from_the_boot_on() -> None:
    limits = {each["type"]: each["hard"] for each in made()["process"]["rlimits"]}
    assert limits == {
        "RLIMIT_NPROC": 9,
        "RLIMIT_NOFILE": 32,
        "RLIMIT_FSIZE": 1 << 18,
        "RLIMIT_CPU": 60,
        "RLIMIT_CORE": 0,
    }


def test_python_sees_neither_environment_nor_site() -> None:
    arguments = made()["process"]["args"]
    assert {"-I", "-S", "-B"} <= set(arguments)
    assert arguments[-3:] == ["-c", "print()", "math"]
