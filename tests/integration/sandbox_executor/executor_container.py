"""The executor in its container, shut off as in compose, but without TLS and within reach."""

import os
import signal
import subprocess
import time
from pathlib import Path

from tests.integration.sandbox_executor.executor_process import ROOT, ExecutorProcess

IMAGE = "batos/sandbox-executor"
# As in docker-compose.yml; tests/e2e holds the running service against the same list.
CONFINEMENT = [
    *("--read-only", "--cap-drop=ALL", "--security-opt=no-new-privileges"),
    f"--security-opt=seccomp={ROOT}/deploy/seccomp/sandbox-executor.json",
    *("--security-opt=apparmor=unconfined", "--tmpfs=/tmp:size=64m,mode=1777"),
    *("--memory=2g", "--pids-limit=1024"),
]


class ExecutorContainer(ExecutorProcess):
    """`docker run` of the service's image."""

    def __init__(self, directory: Path) -> None:
        super().__init__(directory)
        self._name = f"batos-test-{directory.name}"
        # Its own, since the test sees the processes of all containers.
        self.state_dir = Path(f"/tmp/{directory.name}")

    @property
    def pid(self) -> int:
        """Of the service, as the host numbers it."""
        shown = ["docker", "inspect", "--format", "{{.State.Pid}}", self._name]
        return int(subprocess.run(shown, check=True, capture_output=True, text=True).stdout)

    @property
    def visible_state_dir(self) -> Path:
        return Path(f"/proc/{self.pid}/root{self.state_dir}")

    def start(self) -> None:
        port = self.address.rpartition(":")[2]
        settings = self._environment | {
            "BATOS_SANDBOX_LISTEN": "0.0.0.0:50052",
            "BATOS_SANDBOX_STATE_DIR": str(self.state_dir),
            "BATOS_SANDBOX_ALLOW_PLAINTEXT_BEYOND_LOOPBACK": "true",
        }
        variables = [f"--env={name}={value}" for name, value in settings.items()]
        flags = [f"--publish=127.0.0.1:{port}:50052", *CONFINEMENT, *variables]
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                ["docker", "run", "--rm", "--name", self._name, *flags, IMAGE],
                env=os.environ,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        self._wait_until_it_runs()

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        command = ["docker", "kill", f"--signal={number.name}", self._name]
        subprocess.run(command, check=True, capture_output=True)
        assert self._process is not None
        return self._process.wait(30)

    def _wait_until_it_runs(self) -> None:
        for _ in range(300):
            try:
                if self.pid:
                    return
            except subprocess.CalledProcessError:
                pass
            time.sleep(0.1)
        raise AssertionError(self.log.read_text())
