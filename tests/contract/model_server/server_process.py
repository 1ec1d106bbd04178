"""A model server as users start it: a process of its own, on a port that it picks."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import ollama

ROOT = Path(__file__).parents[3]


def until(condition: Callable[[], bool]) -> None:
    """Wait for a condition; fail after five seconds."""
    deadline = time.monotonic() + 5
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


class ServerProcess:
    """Starts at once; `settings` are environment variables."""

    def __init__(self, directory: Path, preload: Path, **settings: str) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self.data_dir, self.log = directory / "data", directory / "server.log"
        self._environment = {
            **os.environ,
            "BATOS_MODEL_SERVER_LISTEN": "127.0.0.1:0",
            "BATOS_MODEL_SERVER_DATA_DIR": str(self.data_dir),
            "BATOS_MODEL_SERVER_PRELOAD_DIR": str(preload),
            "BATOS_MODEL_SERVER_LOG_FORMAT": "json",
            **settings,
        }
        self.start()

    def start(self) -> None:
        """Start, or start again with the same data."""
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "services.model_server"],
                cwd=ROOT,
                env=self._environment,
                stdout=log,
                stderr=log,
            )
        self.url = f"http://{self._address()}"

    def client(self) -> ollama.Client:
        return ollama.Client(host=self.url)

    def stop(self, number: int = signal.SIGTERM) -> tuple[int, float]:
        """The exit status, and the seconds that stopping took."""
        started = time.monotonic()
        self.process.send_signal(number)
        return self.process.wait(10), time.monotonic() - started

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()

    def events(self, name: str) -> list[dict[str, object]]:
        """The log lines of one kind."""
        lines = [line for line in self.log.read_text().splitlines() if line.startswith("{")]
        return [event for event in map(json.loads, lines) if event["event"] == name]

    def _address(self) -> str:
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline and self.process.poll() is None:
            if found := self.events("serving"):
                return str(found[0]["address"])
            time.sleep(0.02)
        raise AssertionError(f"the server did not start: {self.log.read_text()}")
