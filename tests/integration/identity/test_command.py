"""`python -m deploy.identity`: what it writes, what it keeps, and that it renews until told."""

import os
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]


def command(*arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "deploy.identity", *arguments],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def issue(root: Path, *names: str) -> str:
    process = command("issue", "--root", str(root), *names)
    told, trouble = process.communicate(timeout=30)
    assert process.returncode == 0, trouble
    return told


def contents(root: Path) -> dict[str, bytes]:
    return {str(p.relative_to(root)): p.read_bytes() for p in root.rglob("*.pem")}


def test_names_get_their_identity_and_only_the_authority_has_its_key(tmp_path):
    issue(tmp_path, "memory", "operator")
    assert set(contents(tmp_path)) == {
        "authority/authority.pem",
        "authority/authority-key.pem",
        "memory/identity.pem",
        "memory/authority.pem",
        "operator/identity.pem",
        "operator/authority.pem",
    }
    modes = {stat.S_IMODE(path.stat().st_mode) for path in tmp_path.rglob("*.pem")}
    assert modes == {0o600}


def test_what_is_young_is_kept_and_what_is_missing_is_added(tmp_path):
    issue(tmp_path, "memory")
    before = contents(tmp_path)
    told = issue(tmp_path, "memory", "trainer")
    after = contents(tmp_path)
    assert "trainer" in told
    assert "memory" not in told
    assert {name: after[name] for name in before} == before


@pytest.mark.parametrize("damage", [b"", b"-----BEGIN CERTIFICATE-----\nx", os.urandom(200)])
def test_a_damaged_identity_is_made_anew(tmp_path, damage):
    issue(tmp_path, "memory")
    (tmp_path / "memory" / "identity.pem").write_bytes(damage)
    assert "issued memory" in issue(tmp_path, "memory")
    assert len((tmp_path / "memory" / "identity.pem").read_bytes()) > 500


def test_a_new_authority_has_all_identities_made_anew(tmp_path):
    issue(tmp_path, "memory")
    (tmp_path / "authority" / "authority-key.pem").unlink()
    assert "issued memory" in issue(tmp_path, "memory")
    authority = (tmp_path / "authority" / "authority.pem").read_bytes()
    assert (tmp_path / "memory" / "authority.pem").read_bytes() == authority


def test_watching_renews_before_the_end_and_stops_when_told(tmp_path):
    two_seconds = str(2 / 86400)
    process = command("watch", "--root", str(tmp_path), "--days", two_seconds, "memory")
    seen = set()
    end = time.monotonic() + 15
    while len(seen) < 3 and time.monotonic() < end:
        path = tmp_path / "memory" / "identity.pem"
        if path.exists():
            seen.add(path.read_bytes())
        time.sleep(0.05)
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=10)
    assert process.returncode == 0
    assert len(seen) >= 3


def test_a_directory_that_cannot_be_written_is_a_sentence(tmp_path):
    (tmp_path / "file").write_text("in the way")
    process = command("issue", "--root", str(tmp_path / "file"), "memory")
    _, trouble = process.communicate(timeout=30)
    assert process.returncode == 1
    assert trouble.startswith("identity: ")
    assert "Traceback" not in trouble


@pytest.mark.parametrize("name", ["", "../memory", "Memory", "a.b", "authority", "x" * 64])
def test_names_that_fit_nowhere_are_refused(tmp_path, name):
    process = command("issue", "--root", str(tmp_path), name)
    process.communicate(timeout=30)
    assert process.returncode == 2
    assert not list(tmp_path.iterdir())
