import subprocess
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from services.sandbox_executor import processes
from services.sandbox_executor.state_dir import StateDir
from shared.errors import FailedPrecondition


@pytest.fixture
def root():
    """Short, since sockets live in it."""
    with TemporaryDirectory(prefix="b-") as path:
        yield Path(path) / "state"


def test_it_leaves_nothing(root: Path) -> None:
    state = StateDir(root, "one")
    assert state.open() == 0
    assert state.new("a").is_dir()
    assert state.new("b").stat().st_mode & 0o777 == 0o700
    state.close()
    assert [path.name for path in root.iterdir()] == [".lock"]


def test_living_replicas_are_no_orphans(root: Path) -> None:
    first, second = StateDir(root, "one"), StateDir(root, "two")
    first.open()
    kept = first.new("a")
    assert second.open() == 0
    assert kept.is_dir()
    second.close()
    assert kept.is_dir()
    first.close()


def test_orphans_are_removed_with_their_processes(root: Path) -> None:
    orphan = root / "gone"
    (orphan / "a").mkdir(parents=True)
    root.chmod(0o700)
    label = f"--root={orphan}/a/s"
    running = subprocess.Popen(["runsc-sandbox", "-c", "sleep 60", label], executable="/bin/sh")
    stranger = subprocess.Popen(["sh", "-c", "sleep 60", label], executable="/bin/sh")
    try:
        _wait_for_command_line(running.pid, label)
        _wait_for_command_line(stranger.pid, label)
        state = StateDir(root, "new")
        assert state.open() == 1
        assert running.wait(5) == -9
        assert stranger.poll() is None, "only gVisor's own processes are killed"
        assert not orphan.exists()
        state.close()
    finally:
        for process in (running, stranger):
            process.kill()
            process.wait()


def _wait_for_command_line(pid: int, label: str) -> None:
    deadline = time.monotonic() + 5
    while label not in Path(f"/proc/{pid}/cmdline").read_text():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_a_directory_that_others_can_write_to_is_refused(root: Path) -> None:
    root.mkdir()
    root.chmod(0o777)
    with pytest.raises(FailedPrecondition, match="BATOS_SANDBOX_STATE_DIR"):
        StateDir(root, "one").open()


def test_a_link_is_refused(root: Path, tmp_path: Path) -> None:
    root.symlink_to(tmp_path)
    with pytest.raises(FailedPrecondition):
        StateDir(root, "one").open()


def test_a_path_too_long_for_sockets_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FailedPrecondition, match="too long"):
        StateDir(tmp_path / ("x" * 100), "one").open()


def test_processes_are_waited_for() -> None:
    process = subprocess.Popen(["sleep", "60"])
    assert processes.wait_gone([process.pid], 0.05) is False
    assert processes.kill_and_wait([process.pid]) is True
    assert process.wait() == -9
    assert processes.kill_and_wait([process.pid, 1 << 30]) is True
