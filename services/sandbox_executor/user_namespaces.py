"""Why an ordinary user may be unable to make the namespaces that rootless gVisor lives in."""

import os
from pathlib import Path

_SYSCTL = Path("/proc/sys")


def advice(sysctl: Path = _SYSCTL) -> str:
    """What to do on this machine where sandboxes do not boot: a sentence or two."""
    if os.geteuid() != 0:
        if _read(sysctl / "kernel/apparmor_restrict_unprivileged_userns") == "1":
            return (
                "This machine's AppArmor withholds user namespaces from ordinary programs. Give "
                "runsc a profile that allows `userns,` (see apparmor.d(5)), or, for the whole "
                "machine: sudo sysctl -w kernel.apparmor_restrict_unprivileged_userns=0"
            )
        if _read(sysctl / "kernel/unprivileged_userns_clone") == "0":
            return (
                "This machine keeps user namespaces from ordinary users: "
                "sudo sysctl -w kernel.unprivileged_userns_clone=1"
            )
    if _read(sysctl / "user/max_user_namespaces") == "0":
        return (
            "This machine allows no user namespaces: sudo sysctl -w user.max_user_namespaces=15000"
        )
    return (
        "In a container this needs a seccomp profile that allows user namespaces; the log of "
        "`runsc --rootless --network=none do true` says more"
    )


def _read(path: Path) -> str:
    try:
        return path.read_text("ascii").strip()
    except OSError:
        return ""
