"""A real executor process with real gVisor, and what can be seen of it from outside."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

import grpc
from batos.sandbox.v1 import sandbox_pb2 as pb
from batos.sandbox.v1 import sandbox_pb2_grpc as pb_grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from services.sandbox_executor.docker_runtime import OWNER_LABEL, owner

ROOT = Path(__file__).resolve().parents[3]
POOL_SIZE = 2
# The same tests run on both runtimes, and in the container of compose: runsc, docker, container.
RUNTIME = os.environ.get("BATOS_TEST_SANDBOX_RUNTIME", "runsc")
DOCKER = RUNTIME == "docker"
CONTAINER = RUNTIME == "container"
READY_SECONDS = 90.0
SETTLE_SECONDS = 60.0


class ExecutorProcess:
    """`python -m services.sandbox_executor` on a loopback port."""

    def __init__(self, directory: Path, settings: Mapping[str, str] | None = None) -> None:
        self.state_dir = directory / "state"
        self.log = directory / "executor.log"
        self.address = f"127.0.0.1:{_free_port()}"
        self._environment = {
            "BATOS_SANDBOX_LISTEN": self.address,
            "BATOS_SANDBOX_STATE_DIR": str(self.state_dir),
            "BATOS_SANDBOX_POOL_SIZE": str(POOL_SIZE),
            "BATOS_SANDBOX_DRAIN_SECONDS": "1",
            "BATOS_SANDBOX_DATA_POOL_SIZE": "0",
            "BATOS_SANDBOX_RUNTIME": "docker" if DOCKER else "runsc",
            **(settings or {}),
        }
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def start(self) -> None:
        directory = self.log.parent
        directory.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "services.sandbox_executor"],
                cwd=ROOT,
                env=os.environ | self._environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )

    def wait_for_health(self, *, serving: bool = True) -> None:
        wanted = (
            health_pb2.HealthCheckResponse.SERVING
            if serving
            else health_pb2.HealthCheckResponse.NOT_SERVING
        )
        deadline = time.monotonic() + READY_SECONDS
        while time.monotonic() < deadline:
            assert self._process is not None
            assert self._process.poll() is None, self.log.read_text()
            if self._health() == wanted:
                return
            time.sleep(0.05)
        raise AssertionError(f"health never became {wanted}:\n{self.log.read_text()}")

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        assert self._process is not None
        self._process.send_signal(number)
        return self._process.wait(30)

    def sandbox_dirs(self) -> set[str]:
        """Ids of all sandboxes there are, whichever executor made them."""
        if DOCKER:
            return self._containers()
        return {path.name for path in self.visible_state_dir.glob("*/*") if path.is_dir()}

    @property
    def visible_state_dir(self) -> Path:
        """The state directory as we see it."""
        return self.state_dir

    def sandbox_processes(self) -> dict[int, str]:
        """Host processes whose command line names our state directory, zombies left out."""
        assert self._process is not None
        found, ours = {}, (self.pid, self._process.pid, os.getpid())
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit() and int(entry.name) not in ours:
                command = _read(entry / "cmdline").replace("\0", " ")
                if str(self.state_dir) in command:
                    found[int(entry.name)] = command
        return found

    def _containers(self) -> set[str]:
        label = f"{OWNER_LABEL}={owner(self.state_dir)}"
        command = ["docker", "ps", "--all", "--no-trunc", "--quiet", "--filter", f"label={label}"]
        return set(
            subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()
        )

    def zombies(self) -> list[int]:
        """Dead children that the executor has not reaped."""
        found = []
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit():
                fields = _read(entry / "stat").rpartition(")")[2].split()
                if fields and fields[0] == "Z" and int(fields[1]) == self.pid:
                    found.append(int(entry.name))
        return found

    def open_descriptors(self) -> int:
        return len(list(Path(f"/proc/{self.pid}/fd").iterdir()))

    def settle(self) -> None:
        """Waits until only the pool's own sandboxes are left; fails where they are not."""
        deadline = time.monotonic() + SETTLE_SECONDS
        while (leak := self._leak()) and time.monotonic() < deadline:
            time.sleep(0.05)
        assert not leak, f"{leak}\n{self.log.read_text()[-3000:]}"

    def _leak(self) -> str:
        capacity = self.capacity()
        if (capacity.ready_count, capacity.busy_count) != (POOL_SIZE, 0):
            return f"capacity: {capacity}"
        directories = self.sandbox_dirs()
        if len(directories) != POOL_SIZE:
            return f"sandbox directories: {sorted(directories)}"
        strangers = {
            pid: command
            for pid, command in self.sandbox_processes().items()
            if not any(sandbox in command for sandbox in directories)
        }
        if strangers:
            return f"leaked processes: {strangers}"
        return f"zombies: {self.zombies()}" if self.zombies() else ""

    def capacity(self) -> pb.GetCapacityResponse:
        with grpc.insecure_channel(self.address) as channel:
            stub = pb_grpc.SandboxServiceStub(channel)
            return stub.GetCapacity(pb.GetCapacityRequest(), timeout=10, wait_for_ready=True)

    def _health(self) -> int | None:
        with grpc.insecure_channel(self.address) as channel:
            check = health_pb2_grpc.HealthStub(channel).Check
            try:
                return check(health_pb2.HealthCheckRequest(), timeout=1).status
            except grpc.RpcError:
                return None


def _free_port() -> int:
    with socket.socket() as each:
        each.bind(("127.0.0.1", 0))
        return each.getsockname()[1]


def _read(path: Path) -> str:
    try:
        return path.read_text(errors="replace")
    except OSError:
        return ""
