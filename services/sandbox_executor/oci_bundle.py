"""The OCI bundle of a sandbox: what the guest is allowed, as data.

After the OCI runtime specification 1.0.2 (config.md, config-linux.md).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from services.sandbox_executor import guest_image

REPORTS_IN_GUEST = 3

# No user of the host has this number in the guest; it is only there to be other than root.
GUEST_ID = 65534
_CAPABILITY_SETS = ("bounding", "effective", "inheritable", "permitted", "ambient")
_NAMESPACES = ("pid", "ipc", "uts", "mount", "network")


@dataclass(frozen=True)
class GuestBounds:
    """Bounds that hold from the boot on; a run lowers some of them for itself.

    `scratch_bytes` bounds all files in /tmp together, `file_bytes` each of them. `memory_bytes` is
    the most that any run may ask for.
    """

    processes: int
    open_files: int
    scratch_bytes: int
    file_bytes: int
    cpu_seconds: int
    memory_bytes: int


def configuration(
    image: Path, program: str, modules: Sequence[str], bounds: GuestBounds
) -> dict[str, object]:
    """config.json for an interpreter that runs `program`, given `modules`, in a read-only image."""
    return {
        "ociVersion": "1.0.2",
        "hostname": "sandbox",
        "root": {"path": str(image), "readonly": True},
        "process": {
            "terminal": False,
            "user": {"uid": GUEST_ID, "gid": GUEST_ID},
            "args": interpreter(program, *modules),
            "env": environment(),
            "cwd": "/tmp",  # noqa: S108 - the guest's own
            "capabilities": {name: [] for name in _CAPABILITY_SETS},
            "rlimits": _rlimits(bounds),
            "noNewPrivileges": True,
        },
        "mounts": _mounts(bounds),
        "linux": {"namespaces": [{"type": kind} for kind in _NAMESPACES]},
    }


def interpreter(program: str, *arguments: str) -> list[str]:
    """The guest's command line."""
    # -I and -S: no environment, no site, no user directory; -B: nothing is written.
    return [guest_image.PYTHON, "-I", "-S", "-B", "-X", "utf8", "-c", program, *arguments]


def environment() -> list[str]:
    """The guest's environment, as NAME=value."""
    return [
        "PATH=/python/bin",
        f"LD_LIBRARY_PATH={guest_image.LIBRARIES}",
        "HOME=/tmp",
        "LANG=C.UTF-8",
        # An arena per thread would use up the address space long before memory.
        "MALLOC_ARENA_MAX=2",
        # As would a thread per core of the host.
        "OPENBLAS_NUM_THREADS=1",
        "OMP_NUM_THREADS=1",
    ]


def _rlimits(bounds: GuestBounds) -> list[dict[str, object]]:
    values = {
        "RLIMIT_NPROC": bounds.processes + 1,
        "RLIMIT_NOFILE": bounds.open_files,
        "RLIMIT_FSIZE": bounds.file_bytes,
        "RLIMIT_CPU": bounds.cpu_seconds,
        "RLIMIT_CORE": 0,
    }
    return [{"type": name, "soft": value, "hard": value} for name, value in values.items()]


def _mounts(bounds: GuestBounds) -> list[dict[str, object]]:
    scratch = ["nosuid", "nodev", "mode=1777", f"size={bounds.scratch_bytes}"]
    return [
        {"destination": "/proc", "type": "proc", "source": "proc"},
        {"destination": "/tmp", "type": "tmpfs", "source": "tmpfs", "options": scratch},  # noqa: S108
    ]
