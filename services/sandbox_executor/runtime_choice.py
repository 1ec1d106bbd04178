"""Which runtime boots the sandboxes of this executor."""

import os
import shutil
from pathlib import Path

import docker
import docker.errors
import requests.exceptions

from services.sandbox_executor import cgroup_mount
from services.sandbox_executor.cgroup import CgroupBounds, Cgroups
from services.sandbox_executor.docker_runtime import DockerOptions, DockerRuntime
from services.sandbox_executor.profile import Profile, guest_bounds
from services.sandbox_executor.runsc_runtime import RunscOptions, RunscRuntime
from services.sandbox_executor.runtime import Runtime
from services.sandbox_executor.settings import SandboxSettings
from services.sandbox_executor.state_dir import StateDir

_GUEST = Path(__file__).resolve().parents[2] / "sandbox"
_PING_SECONDS = 5


class RuntimeChoice:
    """Chooses by the settings and by what there is on this machine."""

    def __init__(self, settings: SandboxSettings, state_dir: StateDir, replica_id: str) -> None:
        self._settings = settings
        self._state_dir = state_dir
        self._replica_id = replica_id

    def name(self) -> str:
        """`runsc` or `docker`. Blocking.

        Where there is neither it is `runsc`: its words on what to install are the simpler ones.
        """
        if self._settings.runtime != "auto":
            return self._settings.runtime
        return "docker" if self._find_runsc() is None and _docker_answers() else "runsc"

    def cgroups(self, name: str) -> Cgroups | None:
        """Control groups for `runsc`, where they can be made; Docker makes its own. Blocking."""
        settings = self._settings
        if name != "runsc" or settings.cgroups == "off":
            return None
        bounds = CgroupBounds(
            memory_bytes=settings.max_memory_bytes,
            processes=settings.max_processes,
            total_memory_bytes=settings.total_memory_bytes,
            sandboxes=settings.max_running + settings.pool_size + settings.data_pool_size,
        )
        return cgroup_mount.find(self._replica_id, bounds)

    def runtime(self, name: str, profile: Profile, cgroups: Cgroups | None) -> Runtime:
        """What boots the guests of a profile."""
        return self._docker(profile) if name == "docker" else self._runsc(profile, cgroups)

    def _runsc(self, profile: Profile, cgroups: Cgroups | None) -> RunscRuntime:
        options = RunscOptions(
            find=self._find_runsc,
            cache=self._settings.cache_dir.resolve(),
            bounds=guest_bounds(self._settings),
            program=_text("boot.py"),
            modules=profile.modules,
            packages=profile.packages,
            boot_seconds=self._settings.boot_seconds,
        )
        return RunscRuntime(options, self._state_dir, cgroups)

    def _docker(self, profile: Profile) -> DockerRuntime:
        options = DockerOptions(
            runtime=self._settings.docker_runtime,
            cache=self._settings.cache_dir.resolve(),
            bounds=guest_bounds(self._settings),
            relay=_text("relay.py"),
            program=_text("boot.py"),
            modules=profile.modules,
            packages=profile.packages,
            boot_seconds=self._settings.boot_seconds,
            state_dir=self._settings.state_dir,
            replica=self._replica_id,
        )
        return DockerRuntime(options)

    def _find_runsc(self) -> Path | None:
        if self._settings.runsc_path:
            return self._settings.runsc_path
        cached = self._settings.cache_dir.resolve() / "gvisor" / "runsc"
        if os.access(cached, os.X_OK):
            return cached
        on_path = shutil.which("runsc")
        return Path(on_path) if on_path else None


def _text(name: str) -> str:
    return (_GUEST / name).read_text("utf-8")


def _docker_answers() -> bool:
    try:
        return bool(docker.from_env(timeout=_PING_SECONDS).ping())
    except (docker.errors.DockerException, requests.exceptions.RequestException, OSError):
        return False
