"""Control groups around the sandboxes, where this user may make any: the kernel's own bound.

The watchdog is what a run meets. It looks every few milliseconds, and it is a program of ours; a
group holds without either, for the sentry's memory and host threads too. Hence its bounds leave
room above a run's. Version 1 has a tree per controller, version 2 one for all (cgroups(7)).
"""

import contextlib
import os
from dataclasses import dataclass
from pathlib import Path

import structlog

_log = structlog.get_logger()

# For the sentry itself, and so that the watchdog, which can say why, comes first.
_HEADROOM_BYTES = 128 << 20
_SENTRY_THREADS = 512
_PREFIX = "batos-sandboxes-"


@dataclass(frozen=True)
class CgroupBounds:
    """What one sandbox may use, and the memory of all that run at once."""

    memory_bytes: int
    processes: int
    total_memory_bytes: int
    sandboxes: int


@dataclass(frozen=True)
class _Files:
    """The names of one version's files."""

    memory: str
    events: str


_VERSIONS = {
    1: _Files("memory.limit_in_bytes", "memory.oom_control"),
    2: _Files("memory.max", "memory.events"),
}


class Cgroups:
    """The groups of one replica: `<own group>/batos-sandboxes-<replica>-<pid>/<sandbox>`."""

    def __init__(
        self, version: int, trees: dict[str, Path], replica_id: str, bounds: CgroupBounds
    ) -> None:
        self.version = version
        self._files = _VERSIONS[version]
        self._trees = trees
        self._name = f"{_PREFIX}{replica_id}-{os.getpid()}"
        self._bounds = bounds

    def open(self) -> None:
        """Makes the replica's group, removes those of replicas that are gone. Raises OSError."""
        for tree in set(self._trees.values()):
            for left in tree.glob(f"{_PREFIX}*-*"):
                if not Path(f"/proc/{left.name.rpartition('-')[2]}").exists():
                    _remove(left)
            (tree / self._name).mkdir()
            if self.version == 2:
                write(tree / self._name / "cgroup.subtree_control", "+memory +pids")
        bounds = self._bounds
        total = bounds.total_memory_bytes + bounds.sandboxes * _HEADROOM_BYTES
        write(self._own("memory") / self._files.memory, total)
        write(
            self._own("pids") / "pids.max", bounds.sandboxes * (bounds.processes + _SENTRY_THREADS)
        )

    def join(self, sandbox_id: str, pid: int) -> None:
        """Puts a process, and all that it will start, into a group for that sandbox.

        A group is a second bound: a sandbox that gets none runs on, and the log says so.
        """
        try:
            for controller in self._trees:
                (self._own(controller) / sandbox_id).mkdir(exist_ok=True)
            memory, pids = (self._own(controller) / sandbox_id for controller in ("memory", "pids"))
            write(memory / self._files.memory, self._bounds.memory_bytes + _HEADROOM_BYTES)
            write(pids / "pids.max", self._bounds.processes + _SENTRY_THREADS)
            for group in {memory, pids}:
                write(group / "cgroup.procs", pid)
        except OSError as error:
            _log.warning("a sandbox has no control group", sandbox=sandbox_id, error=str(error))

    def ended_by_kernel(self, sandbox_id: str) -> bool:
        """Whether the kernel has killed something in it for want of memory."""
        events = self._own("memory") / sandbox_id / self._files.events
        with contextlib.suppress(OSError):
            counts = dict(line.split() for line in events.read_text("ascii").splitlines())
            return int(counts.get("oom_kill", 0)) > 0
        return False

    def remove(self, sandbox_id: str) -> None:
        """Removes a group whose processes are gone."""
        for controller in self._trees:
            _remove(self._own(controller) / sandbox_id)

    def close(self) -> None:
        """Removes the replica's group."""
        for controller in self._trees:
            _remove(self._own(controller))

    def _own(self, controller: str) -> Path:
        return self._trees[controller] / self._name


def write(file: Path, value: object) -> None:
    """Writes one of a group's files. Raises OSError where the kernel will not have it."""
    file.write_text(str(value), "ascii")


def _remove(group: Path) -> None:
    """Removes a group and those in it, unless there is a process in one."""
    with contextlib.suppress(OSError):
        for inner in group.iterdir():
            if inner.is_dir():
                inner.rmdir()
        group.rmdir()
