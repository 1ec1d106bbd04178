"""The runtime `docker`: containers of the Docker Engine, gVisor behind them unless told otherwise.

For hosts where Docker is what there is: it is slower than `runsc`, and needs Docker's socket, which
is as good as root.
"""

import asyncio
import contextlib
import os
import secrets
import signal
import socket
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import docker
import docker.errors
import requests.exceptions
from docker.models.containers import Container
from docker.types import LogConfig, Ulimit

from services.sandbox_executor import guest_image, handshake
from services.sandbox_executor.docker_observer import observe
from services.sandbox_executor.docker_sandbox import DockerSandbox
from services.sandbox_executor.frames import BrokenFrame
from services.sandbox_executor.oci_bundle import GUEST_ID, GuestBounds, environment, interpreter
from services.sandbox_executor.runtime import RuntimeInfo, Sandbox
from shared.errors import BatosError, Unavailable

OWNER_LABEL = "batos.sandbox.owner"
REPLICA_LABEL = "batos.sandbox.replica"
_REPOSITORY = "batos/sandbox-guest"
_API_SECONDS = 60
# Over what a run may use, so that the watchdog and not the kernel ends it.
_HEADROOM_BYTES = 256 << 20
_NANO_CPUS = 1_000_000_000
_FAILURES = (docker.errors.DockerException, requests.exceptions.RequestException, OSError)
INSTALL = (
    "start Docker, let this user use its socket, and register gVisor there as the runtime 'runsc' "
    "(https://gvisor.dev/docs/user_guide/quick_start/docker)"
)


@dataclass(frozen=True)
class DockerOptions:
    """How containers are booted; `state_dir` and `replica` are the labels that say whose."""

    runtime: str
    cache: Path
    bounds: GuestBounds
    relay: str
    program: str
    modules: Sequence[str]
    packages: Path | None
    boot_seconds: float
    state_dir: Path
    replica: str


class DockerRuntime:
    """Boots sandboxes as containers; see `runtime.Runtime`."""

    def __init__(self, options: DockerOptions) -> None:
        self._options = options
        self._client: docker.DockerClient | None = None
        self._image = ""
        self._preparing = asyncio.Lock()

    async def probe(self) -> RuntimeInfo:
        """Asks the engine, and gives it the guest's files."""
        client = await self._prepared()
        said = await asyncio.to_thread(client.version)
        if self._options.runtime.startswith("runsc"):
            isolation = f"gvisor (docker, runtime {self._options.runtime})"
        else:
            isolation = f"the host's own kernel (docker, runtime {self._options.runtime}): weaker"
        return RuntimeInfo("docker", f"Docker {said['Version']}", isolation)

    async def boot(self) -> Sandbox:
        """A fresh container whose interpreter waits; about half a second."""
        client = await self._prepared()
        sandbox_id = secrets.token_hex(6)
        try:
            container, attached = await asyncio.to_thread(self._spawn, client, sandbox_id)
        except _FAILURES as error:
            raise _boot_failure(str(error)) from error
        sandbox = DockerSandbox(sandbox_id, container, attached)
        try:
            async with asyncio.timeout(self._options.boot_seconds):
                await handshake.ready(sandbox.reports)
            observer = await asyncio.to_thread(observe, container, self._options.runtime)
            await sandbox.watch_with(observer)
            return sandbox
        except BaseException as error:
            words = sandbox.words
            await asyncio.shield(sandbox.destroy())
            if isinstance(error, TimeoutError | BrokenFrame | EOFError | ConnectionError | OSError):
                raise _boot_failure(words or f"{type(error).__name__} {error}") from error
            raise

    async def _prepared(self) -> docker.DockerClient:
        async with self._preparing:
            if self._client is None:
                self._client = await asyncio.to_thread(self._connect)
            return self._client

    def _connect(self) -> docker.DockerClient:
        root = guest_image.prepare(self._options.cache, self._options.packages)
        try:
            client = docker.from_env(timeout=_API_SECONDS)
            if self._options.runtime not in client.info()["Runtimes"]:
                raise Unavailable(
                    f"Docker knows no runtime {self._options.runtime!r}; {INSTALL}",
                    reason="SANDBOX_RUNTIME_MISSING",
                )
            self._image = _imported(client, root)
            _remove_orphans(client, self._options.state_dir, self._options.replica)
        except _FAILURES as error:
            raise Unavailable(
                f"Docker cannot be used: {error}; {INSTALL}", reason="SANDBOX_RUNTIME_MISSING"
            ) from error
        return client

    def _spawn(
        self, client: docker.DockerClient, sandbox_id: str
    ) -> tuple[Container, socket.socket]:
        container = client.containers.create(self._image, **self._arguments(sandbox_id))
        try:
            streams = {"stdin": 1, "stdout": 1, "stderr": 1, "stream": 1}
            attached = container.attach_socket(params=streams)
            container.start()
            # The SDK hands out a file; below it lies the socket, whose other end is the relay.
            ours = attached._sock.dup()
            attached._response.close()
            attached.close()
            return container, ours
        except BaseException:
            with contextlib.suppress(*_FAILURES):
                container.remove(force=True)
            raise

    def _arguments(self, sandbox_id: str) -> dict[str, Any]:
        options, bounds = self._options, self._options.bounds
        memory = bounds.memory_bytes + _HEADROOM_BYTES
        return {
            "command": interpreter(options.relay, options.program, *options.modules),
            "name": f"batos-sandbox-{sandbox_id}",
            "labels": {OWNER_LABEL: owner(options.state_dir), REPLICA_LABEL: options.replica},
            "runtime": options.runtime,
            "environment": environment(),
            "stdin_open": True,
            "working_dir": "/tmp",  # noqa: S108 - the guest's own
            "user": f"{GUEST_ID}:{GUEST_ID}",
            "hostname": "sandbox",
            "network_mode": "none",
            "read_only": True,
            "tmpfs": {"/tmp": f"size={bounds.scratch_bytes},mode=1777,nosuid,nodev"},  # noqa: S108
            "cap_drop": ["ALL"],
            "security_opt": ["no-new-privileges"],
            "mem_limit": memory,
            "memswap_limit": memory,
            "nano_cpus": _NANO_CPUS,
            # gVisor's own threads count here, too: the guest's are bounded by its RLIMIT_NPROC.
            "pids_limit": bounds.processes + (512 if options.runtime.startswith("runsc") else 2),
            "ulimits": _ulimits(bounds),
            "log_config": LogConfig(type=LogConfig.types.NONE),
        }


def _ulimits(bounds: GuestBounds) -> list[Ulimit]:
    values = {
        "nofile": bounds.open_files,
        "fsize": bounds.file_bytes,
        "cpu": bounds.cpu_seconds,
        "core": 0,
    }
    return [Ulimit(name=name, soft=value, hard=value) for name, value in values.items()]


def _imported(client: docker.DockerClient, root: Path) -> str:
    """The guest's files as an image, which is made where the engine lacks it."""
    name = f"{_REPOSITORY}:{root.name}"
    try:
        client.images.get(name)
    except docker.errors.ImageNotFound:
        tar = subprocess.run(
            ["tar", "-C", root, "--owner=0", "--group=0", "-c", "."],
            capture_output=True,
            check=True,
            timeout=_API_SECONDS,
        )
        client.api.import_image_from_data(tar.stdout, repository=_REPOSITORY, tag=root.name)
    return name


def owner(state_dir: Path) -> str:
    """The label of all containers of the executors of one host that share a state directory."""
    return f"{socket.gethostname()}:{state_dir}"


def _remove_orphans(client: docker.DockerClient, state_dir: Path, replica: str) -> None:
    """Removes the containers of executors that are gone; those of living ones have a directory."""
    for container in client.containers.list(
        all=True, filters={"label": f"{OWNER_LABEL}={owner(state_dir)}"}, ignore_removed=True
    ):
        whose = container.labels.get(REPLICA_LABEL, "")
        if whose != replica and not (state_dir / whose).is_dir():
            with contextlib.suppress(docker.errors.NotFound):
                _kill_sentry(container)
                container.remove(force=True)


def _kill_sentry(container: Container) -> None:
    """Where it can be reached: one that is stopped does not hear Docker ask it to end."""
    container.reload()
    pid = int(container.attrs["State"]["Pid"])
    with contextlib.suppress(OSError):
        if pid and str(container.id).encode() in Path(f"/proc/{pid}/cmdline").read_bytes():
            os.kill(pid, signal.SIGKILL)


def _boot_failure(words: str) -> BatosError:
    return Unavailable(
        f"Docker cannot boot a sandbox: {words[-600:]}",
        reason="SANDBOX_BOOT_FAILED",
        retry_after=1.0,
    )
