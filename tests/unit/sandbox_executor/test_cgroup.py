"""Where control groups are made, and what is written there, on trees as the kernel shows them.

The kernel's own answer to it is in tests/integration/sandbox_executor/test_cgroup.py.
"""

import os
from pathlib import Path

import pytest

from services.sandbox_executor import cgroup_mount
from services.sandbox_executor.cgroup import CgroupBounds

BOUNDS = CgroupBounds(memory_bytes=1 << 30, processes=64, total_memory_bytes=2 << 30, sandboxes=4)
HEADROOM = 128 << 20


@pytest.fixture
def proc(tmp_path: Path) -> Path:
    directory = tmp_path / "proc"
    directory.mkdir()
    return directory


def version_2(proc: Path, controllers: str = "cpu memory pids", inside: str = "7\n") -> Path:
    tree = proc.parent / "fs"
    own = tree / "user.slice/app"
    own.mkdir(parents=True)
    (own / "cgroup.controllers").write_text(f"{controllers}\n")
    (own / "cgroup.subtree_control").write_text("\n")
    (own / "cgroup.procs").write_text(inside)
    (proc / "mountinfo").write_text(
        f"30 20 0:26 / {tree} rw,relatime shared:4 - cgroup2 cgroup2 rw\n"
    )
    (proc / "cgroup").write_text("0::/user.slice/app\n")
    return own


def version_1(proc: Path) -> dict[str, Path]:
    lines, trees = [], {}
    for name in ("memory", "pids"):
        tree = proc.parent / name
        (tree / "job").mkdir(parents=True)
        trees[name] = tree / "job"
        lines.append(f"30 20 0:26 / {tree} rw,relatime - cgroup cgroup rw,{name}\n")
    (proc / "mountinfo").write_text("".join(lines))
    (proc / "cgroup").write_text("8:pids:/job\n4:memory:/job\n1:cpu:/\n0::/\n")
    return trees


def test_version_2_is_delegated_and_bounded(proc: Path) -> None:
    own = version_2(proc)
    groups = cgroup_mount.find("r1", BOUNDS, proc)
    assert groups is not None
    assert groups.version == 2
    assert (own / "batos-executor/cgroup.procs").read_text() == "7"
    assert (own / "cgroup.subtree_control").read_text() == "+memory +pids"
    groups.join("s1", 4711)
    group = own / f"batos-sandboxes-r1-{os.getpid()}/s1"
    assert int((group / "memory.max").read_text()) == BOUNDS.memory_bytes + HEADROOM
    assert int((group / "pids.max").read_text()) > BOUNDS.processes
    assert (group / "cgroup.procs").read_text() == "4711"
    total = int((own / f"batos-sandboxes-r1-{os.getpid()}/memory.max").read_text())
    assert total == BOUNDS.total_memory_bytes + 4 * HEADROOM


def test_version_1_has_a_tree_per_controller(proc: Path) -> None:
    trees = version_1(proc)
    groups = cgroup_mount.find("r1", BOUNDS, proc)
    assert groups is not None
    assert groups.version == 1
    groups.join("s1", 4711)
    for name, tree in trees.items():
        assert (tree / f"batos-sandboxes-r1-{os.getpid()}/s1/cgroup.procs").read_text() == "4711", (
            name
        )
    limit = trees["memory"] / f"batos-sandboxes-r1-{os.getpid()}/s1/memory.limit_in_bytes"
    assert int(limit.read_text()) == BOUNDS.memory_bytes + HEADROOM


def test_the_kernels_count_of_ends_is_read(proc: Path) -> None:
    own = version_2(proc)
    groups = cgroup_mount.find("r1", BOUNDS, proc)
    assert groups is not None
    groups.join("s1", 4711)
    assert not groups.ended_by_kernel("s1")
    events = own / f"batos-sandboxes-r1-{os.getpid()}/s1/memory.events"
    events.write_text("low 0\nhigh 0\nmax 9\noom 1\noom_kill 1\n")
    assert groups.ended_by_kernel("s1")
    assert not groups.ended_by_kernel("other")


@pytest.mark.parametrize(
    ("controllers", "inside"), [("cpu", "7\n"), ("", "7\n")], ids=["no memory", "none"]
)
def test_a_tree_without_the_controllers_is_not_used(
    proc: Path, controllers: str, inside: str
) -> None:
    version_2(proc, controllers, inside)
    assert cgroup_mount.find("r1", BOUNDS, proc) is None


def test_a_tree_that_cannot_be_written_is_not_used(proc: Path) -> None:
    own = version_2(proc)
    (own / f"batos-sandboxes-r1-{os.getpid()}").write_text("in the way")
    assert cgroup_mount.find("r1", BOUNDS, proc) is None


def test_a_machine_without_groups_has_none(proc: Path) -> None:
    (proc / "mountinfo").write_text("1 1 0:1 / / rw - ext4 /dev/sda rw\n")
    (proc / "cgroup").write_text("")
    assert cgroup_mount.find("r1", BOUNDS, proc) is None
