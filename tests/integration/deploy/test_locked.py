"""Real installations by lock: right hashes go in, others do not; builds of which one is chosen."""

import hashlib
import json
import os
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from deploy.locked import LOCKS

ROOT = Path(__file__).resolve().parents[3]


def locked(*arguments: object, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "deploy.locked", *map(str, arguments)],
        cwd=ROOT,
        env=os.environ | variables,
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )


@pytest.fixture
def source(tmp_path) -> Path:
    """Holds the lock of one small package, as it is committed."""
    text = (LOCKS / "tools.txt").read_text()
    folder = tmp_path / "locks"
    folder.mkdir()
    (folder / "small.txt").write_text(text[text.index("packaging==") : text.index("pip==")])
    return folder


def test_the_committed_lock_installs(source, tmp_path):
    record, target = tmp_path / "installed.json", tmp_path / "target"
    done = locked("install", "small", "--from", source, "--target", target, "--record", record)
    assert done.returncode == 0, done.stderr
    assert (target / "packaging" / "requirements.py").is_file()
    (file,) = json.loads(record.read_text())
    assert file["name"] == "packaging"
    assert file["file"].endswith(".whl")
    assert f"sha256:{file['sha256']}" in (source / "small.txt").read_text()


def test_another_hash_stops_the_installation(source, tmp_path):
    lock = source / "small.txt"
    lock.write_text(re.sub(r"sha256:[0-9a-f]{8}", "sha256:00000000", lock.read_text()))
    done = locked("install", "small", "--from", source, "--target", tmp_path / "target")
    assert done.returncode != 0
    assert "DO NOT MATCH THE HASHES" in done.stderr
    assert not (tmp_path / "target").exists()


def test_a_pin_without_a_hash_stops_it_as_well(source, tmp_path):
    lock = source / "small.txt"
    lock.write_text(lock.read_text() + "idna==3.20\n")
    done = locked("install", "small", "--from", source, "--target", tmp_path / "target")
    assert done.returncode != 0
    assert "require-hashes" in done.stderr
    assert not (tmp_path / "target").exists()


@pytest.mark.parametrize("builds", [("1.0", "1.0+cpu"), ("1.0",)])
def test_the_first_build_that_is_to_be_had_follows(builds, tmp_path):
    shelf, locks = two_builds(tmp_path)
    for unwanted in set(shelf.glob("thing-*")) - {wheel(shelf, "thing", b) for b in builds}:
        unwanted.unlink()
    target = tmp_path / "target"
    done = locked("install", "all", "--from", locks, "--target", target, **offline(shelf))
    assert done.returncode == 0, done.stderr
    assert {path.name for path in target.glob("*.dist-info")} == {
        "needs-1.0.dist-info",
        f"thing-{builds[-1]}.dist-info",
    }


def test_a_spoiled_first_build_is_not_passed_over(tmp_path):
    shelf, locks = two_builds(tmp_path)
    with zipfile.ZipFile(wheel(shelf, "thing", "1.0+cpu"), "a") as archive:
        archive.writestr("thing.py", "import os")
    done = locked(
        "install", "all", "--from", locks, "--target", tmp_path / "target", **offline(shelf)
    )
    assert done.returncode != 0
    assert "DO NOT MATCH THE HASHES" in done.stderr


def test_an_image_gets_the_locks_of_its_extras_and_no_other(tmp_path):
    assert selected("memory", tmp_path / "memory") == {"memory"}
    assert selected("trainer", tmp_path / "trainer") == {"trainer", "torch-cpu", "torch-cuda"}
    assert selected("trainer,gpu", tmp_path / "both") == {"trainer", "gpu"}


def selected(extras: str, folder: Path) -> set[str]:
    done = locked("select", extras, folder)
    assert done.returncode == 0, done.stderr
    return {path.stem for path in folder.iterdir()}


def two_builds(folder: Path) -> tuple[Path, Path]:
    """A shelf with both builds of a thing, and the locks that leave the choice."""
    shelf, locks = folder / "shelf", folder / "locks"
    shelf.mkdir()
    locks.mkdir()
    (locks / "all.txt").write_text("# Followed by one of: cpu,cuda\n" + pin(shelf, "needs", "1.0"))
    for name, version in (("cpu", "1.0+cpu"), ("cuda", "1.0")):
        (locks / f"{name}.txt").write_text(pin(shelf, "thing", version))
    return shelf, locks


def offline(shelf: Path) -> dict[str, str]:
    return {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(shelf), "PIP_CONFIG_FILE": os.devnull}


def wheel(shelf: Path, name: str, version: str) -> Path:
    return shelf / f"{name}-{version}-py3-none-any.whl"


def pin(shelf: Path, name: str, version: str) -> str:
    """Makes an empty wheel, and the line that allows it."""
    info = f"{name}-{version}.dist-info"
    with zipfile.ZipFile(wheel(shelf, name, version), "w") as archive:
        archive.writestr(
            f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
        )
        archive.writestr(
            f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        archive.writestr(f"{info}/RECORD", "")
    digest = hashlib.sha256(wheel(shelf, name, version).read_bytes()).hexdigest()
    return f"{name}=={version} \\\n    --hash=sha256:{digest}\n"
