"""The seccomp filter that a container really runs under, as the engine wrote it for its runtime.

Needs root and a local Docker Engine: the runtime's config.json lies below the engine's state.
"""

import json
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeAlias

STATES = (Path("/run/docker/containerd"), Path("/run/containerd"))
_TIMEOUT_SECONDS = 60

Filter: TypeAlias = dict[str, Any]


def default_filter(image: str) -> Filter:
    """The engine's own default, for a container without capabilities."""
    run = ("run", "--detach", "--cap-drop=ALL", "--security-opt=no-new-privileges", image)
    container = _docker(*run, "sleep", "60")
    try:
        return filter_of(container)
    finally:
        _docker("rm", "--force", container)


def filter_of(container: str) -> Filter:
    """The filter of a running container. FileNotFoundError where the engine keeps it elsewhere."""
    identifier = _docker("inspect", "--format", "{{.Id}}", container)
    for state in STATES:
        for path in state.glob(f"**/moby/{identifier}/config.json"):
            found: Filter = json.loads(path.read_text())["linux"]["seccomp"]
            return found
    raise FileNotFoundError(f"no config.json of {container} below {STATES}")


def rules_of(found: Filter) -> set[tuple[str, str, str]]:
    """(system call, action, conditions) of each rule, so that two filters can be compared."""
    return {
        (name, rule["action"], json.dumps(rule.get("args") or [], sort_keys=True))
        for rule in found["syscalls"]
        for name in rule["names"]
    }


def _docker(*arguments: str) -> str:
    command: Sequence[str] = ("docker", *arguments)
    return subprocess.run(
        command, check=True, capture_output=True, text=True, timeout=_TIMEOUT_SECONDS
    ).stdout.strip()
