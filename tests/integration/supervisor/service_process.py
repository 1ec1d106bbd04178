"""A service as users start it: a process of its own, on a port that it picks."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).parents[3]


class ServiceProcess:
    """Starts `python -m services.<name>` at once; `settings` are environment variables."""

    def __init__(self, name: str, directory: Path, **settings: str) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self._name, self.log = name, directory / f"{name}.log"
        prefix = f"BATOS_{name.upper()}_"
        self._environment = {
            **os.environ,
            f"{prefix}LISTEN": "127.0.0.1:0",
            f"{prefix}DATA_DIR": str(directory / name),
            f"{prefix}DRAIN_SECONDS": "1",
            **settings,
        }
        self.start()

    def start(self) -> None:
        """Starts, or starts again with the same data, at the same address."""
        with self.log.open("ab") as log:
            self.seen = log.tell()
            self.process = subprocess.Popen(
                [sys.executable, "-m", f"services.{self._name}"],
                cwd=ROOT,
                env=self._environment,
                stdout=log,
                stderr=log,
            )
        self.address = self._address()
        self._environment[f"BATOS_{self._name.upper()}_LISTEN"] = self.address

    def kill(self) -> None:
        """Ends it as a power cut would."""
        self.process.kill()
        self.process.wait()

    def stop(self) -> int:
        """Ends it as users do; the exit status."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(15)

    def pause(self, paused: bool) -> None:
        """Makes it hang, or go on."""
        self.process.send_signal(signal.SIGSTOP if paused else signal.SIGCONT)

    def close(self) -> None:
        """Ends it for good, whatever state it is in."""
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()

    def _address(self) -> str:
        deadline = time.monotonic() + 100
        while time.monotonic() < deadline and self.process.poll() is None:
            for line in self.log.read_bytes()[self.seen :].decode(errors="replace").splitlines():
                if "[info" in line and "serving " in line and "address=" in line:
                    return line.partition("address=")[2].split()[0]
            time.sleep(0.02)
        raise AssertionError(f"{self._name} did not start: {self.log.read_text()}")
