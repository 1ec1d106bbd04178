"""The sandbox is scaled 1 → 3 → 1 under constant load, and no call fails."""

import json
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.e2e.compose import Compose

WORKERS = 4
PROGRAM = Path(__file__).with_name("execute_load.py")


class Load:
    """The load as its lines tell it."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.lines: list[dict] = []
        self._process = process
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        for line in self._process.stdout:
            if line.startswith("{"):
                self.lines.append(json.loads(line))

    def wait(self, holds: Callable[["Load"], bool], seconds: float) -> None:
        """Until something holds of the lines so far."""
        end = time.monotonic() + seconds
        while not holds(self):
            assert time.monotonic() < end, self.lines[-5:]
            assert self._process.poll() is None, self.lines[-5:]
            time.sleep(0.2)

    def replicas(self, last: int) -> set[str]:
        """Who answered in the last seconds."""
        return {name for line in self.lines[-last:] for name in line["replicas"]}

    def failures(self) -> Counter[str]:
        """All that failed, by reason."""
        return sum((Counter(line["failures"]) for line in self.lines), Counter())

    def answered(self) -> int:
        """All that was answered rightly."""
        return sum(line["answered"] for line in self.lines)

    def stop(self) -> None:
        """Ends it, and waits for what was under way."""
        self._process.stdin.close()
        self._process.wait(60)
        self._reader.join(10)


@pytest.fixture
def load(compose: Compose) -> Iterator[Load]:
    process = compose.begin(
        *("--profile", "demo", "run", "--rm", "--no-TTY", "--interactive"),
        *("--volume", f"{PROGRAM}:/app/execute_load.py:ro"),
        *("demo", "python", "execute_load.py", str(WORKERS)),
    )
    running = Load(process)
    yield running
    running.stop()


@pytest.mark.timeout(300)
def test_no_call_fails_while_the_sandbox_is_scaled(compose: Compose, load: Load, figures):
    load.wait(lambda it: len(it.lines) >= 5 and it.answered() > 20, 60)
    assert len(load.replicas(last=5)) == 1
    compose.scale(3)
    load.wait(lambda it: len(it.replicas(last=3)) == 3, 90)
    rate = sum(line["answered"] for line in load.lines[-3:]) / 3
    compose.scale(1)
    load.wait(lambda it: len(it.replicas(last=3)) == 1, 90)
    seen = len(load.lines)
    load.wait(lambda it: len(it.lines) >= seen + 5, 30)
    load.stop()
    figures.append(
        ("calls while scaling 1 → 3 → 1", f"{load.answered()}, {load.failures().total()} failed")
    )
    figures.append(("calls per second on three replicas", f"{rate:.0f}"))
    assert not load.failures()
    assert len(load.replicas(last=len(load.lines))) == 3
