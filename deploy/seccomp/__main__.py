"""Writes deploy/seccomp/sandbox-executor.json: `python -m deploy.seccomp`, as root, with Docker.

The file is the running engine's own default profile plus the system calls below. It is committed;
make it anew when Docker's default has changed or gVisor needs something else. What the default
withholds from a container without CAP_SYS_ADMIN and CAP_SYS_CHROOT, and runsc needs none the less,
was found by leaving each one out: without any of these no sandbox boots.
"""

import json
from pathlib import Path
from typing import Any

from deploy.seccomp.effective import Filter, default_filter

TARGET = Path(__file__).with_name("sandbox-executor.json")
IMAGE = "python:3.11-slim-bookworm"

ADDITIONS = {
    "clone": "with namespace flags: rootless runsc starts gVisor in user, mount, pid, ipc, uts "
    "and network namespaces of its own; the default allows it without them",
    "mount": "inside those namespaces runsc builds the root that gVisor's processes see",
    "umount2": "and takes the old root away from it",
    "pivot_root": "by which the new root takes the old one's place",
    "chroot": "by which gVisor's sentry shuts itself into an empty directory",
}

_ARCHITECTURES = [
    {"architecture": "SCMP_ARCH_X86_64", "subArchitectures": ["SCMP_ARCH_X86", "SCMP_ARCH_X32"]},
    {"architecture": "SCMP_ARCH_AARCH64", "subArchitectures": ["SCMP_ARCH_ARM"]},
]


def profile(default: Filter) -> dict[str, Any]:
    """The profile in Docker's format."""
    rules = [
        {"comment": "Docker's default", **rule}
        for rule in default["syscalls"]
        if not set(rule["names"]) & set(ADDITIONS)
    ]
    rules += [
        {"comment": f"runsc: {reason}", "names": [name], "action": "SCMP_ACT_ALLOW"}
        for name, reason in ADDITIONS.items()
    ]
    return {
        "defaultAction": default["defaultAction"],
        "defaultErrnoRet": 1,
        "archMap": _ARCHITECTURES,
        "syscalls": rules,
    }


def main() -> None:
    """Writes the file."""
    TARGET.write_text(json.dumps(profile(default_filter(IMAGE)), indent=1) + "\n")
    print(f"{TARGET}: Docker's default and {', '.join(ADDITIONS)}")


if __name__ == "__main__":
    main()
