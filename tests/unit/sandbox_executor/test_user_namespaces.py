import os
from pathlib import Path

import pytest

from services.sandbox_executor.user_namespaces import advice


@pytest.fixture
def sysctl(tmp_path: Path) -> Path:
    (tmp_path / "kernel").mkdir()
    (tmp_path / "user").mkdir()
    (tmp_path / "user/max_user_namespaces").write_text("15000\n")
    return tmp_path


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("kernel/apparmor_restrict_unprivileged_userns", "1", "apparmor_restrict"),
        ("kernel/unprivileged_userns_clone", "0", "unprivileged_userns_clone=1"),
        ("user/max_user_namespaces", "0", "max_user_namespaces=15000"),
    ],
)
def test_it_says_which_switch_withholds_namespaces(
    sysctl: Path, monkeypatch: pytest.MonkeyPatch, name: str, value: str, words: str
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    (sysctl / name).write_text(f"{value}\n")
    assert words in advice(sysctl)


def test_root_is_not_sent_to_apparmor(sysctl: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    (sysctl / "kernel/apparmor_restrict_unprivileged_userns").write_text("1\n")
    assert "seccomp" in advice(sysctl)
