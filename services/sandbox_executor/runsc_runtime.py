"""The runtime `runsc`: rootless gVisor on bundles that we write. No daemon, no socket, no root."""

import asyncio
import contextlib
import json
import os
import secrets
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from services.sandbox_executor import (
    guest_image,
    handshake,
    oci_bundle,
    processes,
    runsc_binary,
    sentry,
)
from services.sandbox_executor.cgroup import Cgroups
from services.sandbox_executor.oci_bundle import GuestBounds
from services.sandbox_executor.runsc_binary import INSTALL
from services.sandbox_executor.runsc_sandbox import HostPipes, RunscSandbox, discard
from services.sandbox_executor.runtime import RuntimeInfo, Sandbox
from services.sandbox_executor.state_dir import StateDir
from services.sandbox_executor.user_namespaces import advice
from shared.errors import BatosError, Unavailable

_FLAGS = (
    "--rootless",
    "--network=none",
    "--ignore-cgroups",
    "--platform=systrap",
    "--overlay2=none",
    "--host-uds=none",
)
_STDERR_BYTES = 4096


@dataclass(frozen=True)
class RunscOptions:
    """How sandboxes are booted. `find` says where runsc is now, or None; it may come and go."""

    find: Callable[[], Path | None]
    cache: Path
    bounds: GuestBounds
    program: str
    modules: Sequence[str]
    packages: Path | None
    boot_seconds: float


class RunscRuntime:
    """Boots sandboxes with `runsc run`; see `runtime.Runtime`."""

    def __init__(self, options: RunscOptions, state_dir: StateDir, cgroups: Cgroups | None) -> None:
        self._options = options
        self._state_dir = state_dir
        self._cgroups = cgroups

    async def probe(self) -> RuntimeInfo:
        """Checks the binary and prepares the guest's files."""
        binary = await asyncio.to_thread(self._binary)
        version = await asyncio.to_thread(runsc_binary.version, binary)
        await asyncio.to_thread(self._image)
        who = "as root" if os.geteuid() == 0 else "unprivileged"
        groups = f", cgroup v{self._cgroups.version}" if self._cgroups else ""
        return RuntimeInfo("runsc", version, f"gvisor (systrap), rootless, {who}{groups}")

    async def boot(self) -> Sandbox:
        """A fresh sandbox; about 150 to 250 ms."""
        sandbox_id = secrets.token_hex(6)
        directory, process, pipes = await asyncio.to_thread(self._spawn, sandbox_id)
        try:
            async with asyncio.timeout(self._options.boot_seconds):
                await handshake.ready(pipes.reports)
            state = await asyncio.to_thread(sentry.read_state, directory / "s")
            sandbox = RunscSandbox(directory, process, pipes, state, self._cgroups)
            await sandbox.mark_ready()
            return sandbox
        except BaseException as error:
            words = ""
            with contextlib.suppress(OSError):
                words = os.read(pipes.stderr, _STDERR_BYTES).decode("utf-8", "replace").strip()
            pipes.close()
            await asyncio.shield(asyncio.to_thread(discard, process, directory, self._cgroups))
            if isinstance(error, Exception):
                raise _boot_failure(words, error) from error
            raise

    def _image(self) -> Path:
        return guest_image.prepare(self._options.cache, self._options.packages)

    def _binary(self) -> Path:
        binary = self._options.find()
        if binary is None:
            raise Unavailable(
                f"gVisor's runsc is not installed; {INSTALL}", reason="SANDBOX_RUNTIME_MISSING"
            )
        runsc_binary.require_recent(binary)
        return binary

    def _spawn(self, sandbox_id: str) -> tuple[Path, "subprocess.Popen[bytes]", HostPipes]:
        binary = self._binary()
        image = self._image()
        directory = self._state_dir.new(sandbox_id)
        options = self._options
        config = oci_bundle.configuration(image, options.program, options.modules, options.bounds)
        (directory / "config.json").write_text(json.dumps(config), "utf-8")
        try:
            process, pipes = _start(binary, directory)
        except OSError as error:
            self._state_dir.remove(sandbox_id)
            raise Unavailable(
                f"{binary} cannot be started ({error}); {INSTALL}", reason="SANDBOX_RUNTIME_BROKEN"
            ) from error
        if self._cgroups:  # at once: what it starts, in some ms, is in the group as well
            self._cgroups.join(sandbox_id, process.pid)
        return directory, process, pipes


def _start(binary: Path, directory: Path) -> tuple["subprocess.Popen[bytes]", HostPipes]:
    """Starts `runsc run` with a pipe for each of the guest's four descriptors."""
    pairs = [os.pipe() for _ in range(4)]
    (guest_in, requests), (reports, guest_reports), (stdout, guest_out), (stderr, guest_err) = pairs
    pipes = HostPipes(requests, reports, stdout, stderr)
    command = [
        *(str(binary), f"--root={directory}/s", *_FLAGS, "run", f"--bundle={directory}"),
        f"--pass-fd={guest_reports}:{oci_bundle.REPORTS_IN_GUEST}",
        directory.name,
    ]
    try:
        process = subprocess.Popen(
            command,
            stdin=guest_in,
            stdout=guest_out,
            stderr=guest_err,
            pass_fds=[guest_reports],
            env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"},
            start_new_session=True,
        )
    except OSError:
        pipes.close()
        raise
    finally:
        for descriptor in (guest_in, guest_reports, guest_out, guest_err):
            os.close(descriptor)
    processes.await_child(process.pid)
    for descriptor in (requests, reports, stdout, stderr):
        os.set_blocking(descriptor, False)
    return process, pipes


def _boot_failure(words: str, error: Exception) -> BatosError:
    if isinstance(error, BatosError):
        return error
    said = words or f"{type(error).__name__} {error}".strip()
    return Unavailable(
        f"gVisor cannot boot a sandbox: {said[-600:]}. {advice()}",
        reason="SANDBOX_BOOT_FAILED",
        retry_after=1.0,
    )
