"""Where control groups can be made: the mounts, and our own place below them."""

from pathlib import Path

import structlog

from services.sandbox_executor.cgroup import CgroupBounds, Cgroups, write

_log = structlog.get_logger()


def find(replica_id: str, bounds: CgroupBounds, proc: Path = Path("/proc/self")) -> Cgroups | None:
    """The groups of a new replica, or None where this process may make none."""
    try:
        trees = _version_2(proc) or _version_1(proc)
        if trees is None:
            return None
        version = 2 if len(set(trees.values())) == 1 else 1
        groups = Cgroups(version, trees, replica_id, bounds)
        groups.open()
    except OSError as error:
        _log.info("no control groups can be made here", error=str(error))
        return None
    return groups


def _version_1(proc: Path) -> dict[str, Path] | None:
    trees = {}
    for mount_root, mount, options in _mounts(proc, "cgroup"):
        for controller in {"memory", "pids"} & set(options.split(",")):
            trees[controller] = mount / _below(mount_root, _membership(proc, controller))
    return trees if len(trees) == 2 and len(set(trees.values())) == 2 else None


def _version_2(proc: Path) -> dict[str, Path] | None:
    for mount_root, mount, _ in _mounts(proc, "cgroup2"):
        tree = mount / _below(mount_root, _membership(proc, ""))
        controllers = (tree / "cgroup.controllers").read_text("ascii").split()
        if {"memory", "pids"} <= set(controllers):
            _delegate(tree)
            return {"memory": tree, "pids": tree}
    return None


def _delegate(tree: Path) -> None:
    """Lets groups below have controllers; where it has processes they must move down first.

    Only we may be in it, as under systemd's Delegate=yes: others are not ours to move.
    """
    control = tree / "cgroup.subtree_control"
    if {"memory", "pids"} <= set(control.read_text("ascii").split()):
        return
    inside = (tree / "cgroup.procs").read_text("ascii").split()
    if len(inside) == 1:
        (tree / "batos-executor").mkdir(exist_ok=True)
        write(tree / "batos-executor" / "cgroup.procs", int(inside[0]))
    write(control, "+memory +pids")


def _mounts(proc: Path, kind: str) -> list[tuple[str, Path, str]]:
    """(root within the file system, mount point, its own options), after proc_pid_mountinfo(5)."""
    found = []
    for line in (proc / "mountinfo").read_text("utf-8").splitlines():
        place, _, what = line.partition(" - ")
        if what.split()[0] == kind:
            fields = place.split()
            found.append((fields[3], Path(fields[4]), what.split()[2]))
    return found


def _membership(proc: Path, controller: str) -> str:
    """The path of our group; `controller` is empty for version 2."""
    for line in (proc / "cgroup").read_text("utf-8").splitlines():
        _, controllers, path = line.split(":", 2)
        if controller in controllers.split(","):
            return path
    return "/"


def _below(mount_root: str, path: str) -> Path:
    """Our group as seen below the mount; in a container it is the mount itself."""
    if Path(path).is_relative_to(mount_root):
        return Path(path).relative_to(mount_root)
    return Path()
