"""Control groups around real sandboxes, where this machine lets us make any."""

import contextlib
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from services.sandbox_executor import cgroup_mount
from services.sandbox_executor.cgroup import CgroupBounds
from tests.integration.sandbox_executor.executor_process import RUNTIME, ExecutorProcess

BOUNDS = CgroupBounds(memory_bytes=1 << 30, processes=64, total_memory_bytes=2 << 30, sandboxes=4)


def groups_with(pid: int) -> set[str]:
    """The groups of ours that a process is in."""
    lines = Path(f"/proc/{pid}/cgroup").read_text().splitlines()
    return {line for line in lines if "batos-sandboxes-" in line}


@pytest.fixture
def executor(runsc: Path, directory: Path) -> Iterator[ExecutorProcess]:
    process = ExecutorProcess(directory)
    process.start()
    process.wait_for_health()
    process.settle()
    yield process
    process.stop()


def groups_of(executor: ExecutorProcess) -> list[Path]:
    """The groups that it has made for its sandboxes, one for each controller."""
    return list(Path("/sys/fs/cgroup").rglob(f"batos-sandboxes-*-{executor.pid}"))


def outsiders(executor: ExecutorProcess) -> list[str]:
    """Commands that name a sandbox and do not run in its group."""
    found = []
    sandboxes = executor.sandbox_dirs()
    for pid, command in executor.sandbox_processes().items():
        (sandbox,) = [each for each in sandboxes if each in command]
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):  # it has ended
            groups = groups_with(pid)
            bounded = {group.split(":")[1] for group in groups} & {"memory", "pids", ""}
            if not bounded or not all(group.endswith(f"/{sandbox}") for group in groups):
                found.append(command)
    return found


needs_groups = pytest.mark.skipif(
    RUNTIME != "runsc" or (probe := cgroup_mount.find("probe", BOUNDS)) is None or probe.close(),
    reason="no control groups can be made here: the watchdog alone bounds the runs",
)


@needs_groups
def test_all_of_a_sandbox_is_in_its_group_until_both_are_gone(executor: ExecutorProcess) -> None:
    assert len(executor.sandbox_processes()) >= 3 * len(executor.sandbox_dirs())
    deadline = time.monotonic() + 10
    # The executor's own short commands name a sandbox too, and are in no group.
    while (outside := outsiders(executor)) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not outside
    assert groups_of(executor)
    executor.stop()
    assert groups_of(executor) == []


@needs_groups
def test_groups_of_a_killed_executor_are_removed_by_the_next(executor: ExecutorProcess) -> None:
    left = groups_of(executor)
    assert left
    executor.stop(signal.SIGKILL)
    executor.start()
    executor.wait_for_health()
    assert not any(group.exists() for group in left)
    assert groups_of(executor)


@needs_groups
def test_the_kernel_ends_what_takes_too_much_and_it_is_known_why() -> None:
    groups = cgroup_mount.find("small", replace(BOUNDS, memory_bytes=1 << 20))
    assert groups is not None
    greedy = subprocess.Popen(
        [sys.executable, "-c", "input(); bytearray(400 << 20)"], stdin=subprocess.PIPE
    )
    try:
        groups.join("s1", greedy.pid)
        assert not groups.ended_by_kernel("s1")
        greedy.communicate(b"\n", timeout=30)
        assert greedy.returncode == -signal.SIGKILL
        assert groups.ended_by_kernel("s1")
    finally:
        greedy.kill()
        greedy.wait()
        groups.remove("s1")
        groups.close()
