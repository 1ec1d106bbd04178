"""Scaled, killed, upgraded, rolled back and short of disk, under constant load: nothing is lost.

The load says at each end how often it was refused, which it bears by sending the same request again
under its id; what it could not get through in a minute has failed. Its ledger holds all that was
acknowledged. Budget: 8 minutes.
"""

import json
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

from tests.e2e.compose import SERVICES, Compose, docker

PROGRAM = Path(__file__).with_name("operations_load.py")
KINDS = ("turns", "memories", "calls")
PATIENCE = 60.0
# What the next version brings: a table that the version before need not know.
MIGRATION = (
    "from services.supervisor import sqlite_journal as j; from shared.sqlite import Additive; "
    "j.MIGRATIONS += (Additive('CREATE TABLE next_version (id INTEGER) STRICT;'),)"
)

FILL = """
n, file = 1 << 20, open("/data/filler", "ab", buffering=0)
while n:
    try:
        file.write(bytes(n))
    except OSError:
        n //= 2
"""


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

    def answered(self) -> dict[str, int]:
        """So far, by kind."""
        last = self.lines[-1] if self.lines else {}
        return {kind: last.get(kind, {}).get("answered", 0) for kind in KINDS}

    def wait(self, holds: Callable[[], bool], seconds: float, what: str) -> float:
        """Seconds until something holds."""
        begun = time.monotonic()
        while not holds():
            assert self._process.poll() is None, self.lines[-3:]
            assert time.monotonic() - begun < seconds, f"{what}: {self.lines[-3:]}"
            time.sleep(0.1)
        return time.monotonic() - begun

    def goes_on(self, seconds: float = 60, more: int = 3) -> float:
        """Seconds until each kind was answered some more times."""
        before = self.answered()
        return self.wait(
            lambda: all(self.answered()[kind] >= before[kind] + more for kind in KINDS),
            seconds,
            f"not all went on after {before}",
        )

    def stop(self) -> dict:
        """Ends it; the ledger's line."""
        self._process.stdin.close()
        self._process.wait(120)
        self._reader.join(10)
        return self.lines[-1]


@pytest.fixture
def load(compose: Compose, figures, request) -> Iterator[Load]:
    yield from under_load(compose, figures, request.node.name)


def under_load(compose: Compose, figures: list[tuple[str, str]], name: str) -> Iterator[Load]:
    """Constant load; at the end nothing may have failed, and nothing be lost."""
    process = compose.begin(
        *("--profile", "demo", "run", "--rm", "--no-TTY", "--interactive"),
        *("--volume", f"{PROGRAM}:/app/operations_load.py:ro"),
        *("demo", "python", "operations_load.py"),
    )
    running = Load(process)
    running.wait(lambda: bool(running.lines), 60, "the load did not begin")
    running.goes_on()
    yield running
    ledger = running.stop()
    counts = running.lines[-2]
    refused = sum(counts[kind]["refused"] for kind in KINDS)
    failed = {kind: counts[kind]["failed"] for kind in KINDS if counts[kind]["failed"]}
    longest = max(counts[kind]["longest"] for kind in KINDS)
    answered = sum(running.answered().values()) or sum(counts[k]["answered"] for k in KINDS)
    figures.append(
        (
            name.removeprefix("test_").replace("_", " "),
            f"{answered} answered, {refused} refused and sent again, {len(failed)} failed, "
            f"{len(ledger['lost'])} of {ledger['acknowledged']} lost, longest wait {longest} s",
        )
    )
    assert not failed
    assert ledger["acknowledged"] > 10
    assert not ledger["lost"]


@pytest.mark.timeout(300)
def test_scaled_from_one_to_four_and_back(compose: Compose, load: Load):
    compose.scale(4)
    load.goes_on()
    compose.scale(1)
    load.goes_on()
    assert all(load.lines[-1][kind]["longest"] < 20 for kind in KINDS)


@pytest.mark.timeout(600)
def test_each_service_killed(compose: Compose, load: Load, figures):
    """By SIGKILL to its first process, as the kernel does where memory is short: what is ended by
    `docker kill` Docker does not start again, whatever the restart policy."""
    for service in (*SERVICES, "ollama"):
        (container,) = compose.containers(service)
        begun = time.monotonic()
        os.kill(container["State"]["Pid"], signal.SIGKILL)
        serves = partial(serves_again, compose, service, container)
        serving = load.wait(serves, PATIENCE, f"{service} is away")
        load.goes_on(more=1)
        whole = time.monotonic() - begun
        told = f"serving after {serving:.1f} s (10 asked), all work after {whole:.1f} s"
        figures.append((f"killed {service}", told))


@pytest.mark.timeout(300)
def test_docker_kill_and_start(compose: Compose, load: Load):
    """What its owner ends stays ended until he starts it, and has lost nothing."""
    for service in ("memory", "supervisor"):
        compose.run("kill", service)
        compose.run("up", "--detach", "--no-recreate", "--wait", service)
        load.goes_on(more=1)


def serves_again(compose: Compose, service: str, before: dict) -> bool:
    """Whether a new life of a container says so itself."""
    identifiers = compose.run("ps", "--quiet", service).split()
    if not identifiers:
        return False
    (now,) = json.loads(docker("inspect", identifiers[0]))
    if not now["State"]["Running"] or now["State"]["StartedAt"] == before["State"]["StartedAt"]:
        return False
    probe = now["Config"]["Healthcheck"]["Test"][1:]
    done = subprocess.run(
        ["docker", "exec", identifiers[0], *probe], capture_output=True, timeout=20, check=False
    )
    return done.returncode == 0


@pytest.fixture
def versions(tmp_path: Path) -> Iterator[Callable[[str], None]]:
    """Makes `current` or `next` what the images' names stand for; `current` at the end."""
    for service in SERVICES:
        docker("tag", f"batos/{service}", f"batos/{service}:e2e-current")
        recipe = f"FROM batos/{service}:e2e-current\nLABEL version=next\n"
        if service == "supervisor":
            module = "/app/services/supervisor/__init__.py"
            recipe += f'USER root\nRUN echo "{MIGRATION}" > {module}\nUSER batos\n'
        (tmp_path / f"{service}.Dockerfile").write_text(recipe)
        docker(
            *("build", "--quiet", "--file", str(tmp_path / f"{service}.Dockerfile")),
            *("--tag", f"batos/{service}:e2e-next", str(tmp_path)),
        )

    def become(version: str) -> None:
        for service in SERVICES:
            docker("tag", f"batos/{service}:e2e-{version}", f"batos/{service}")

    yield become
    become("current")
    for service in SERVICES:
        docker("rmi", f"batos/{service}:e2e-current", f"batos/{service}:e2e-next")


def recreate(compose: Compose) -> float:
    """Puts what the images' names stand for in the running containers' place; seconds."""
    begun = time.monotonic()
    compose.run("up", "--detach", "--no-build", "--wait", *SERVICES, seconds=180)
    return time.monotonic() - begun


def schema(compose: Compose) -> int:
    program = (
        "import sqlite3; c = sqlite3.connect('/data/supervisor.sqlite'); "
        "print(c.execute('PRAGMA user_version').fetchone()[0])"
    )
    return int(compose.python("supervisor", program))


@pytest.mark.timeout(400)
def test_upgraded_in_place_and_rolled_back(compose: Compose, load: Load, versions, figures):
    before = schema(compose)
    for version in ("next", "current"):
        versions(version)
        seconds = recreate(compose)
        load.goes_on()
        figures.append((f"all services become the {version} version", f"{seconds:.1f} s"))
        for service in SERVICES:
            (container,) = compose.containers(service)
            assert (container["Config"]["Labels"].get("version") == "next") == (version == "next")
        # Rolled back, the older program works with the newer one's schema.
        assert schema(compose) == before + 1


@pytest.fixture(scope="module")
def small(compose: Compose) -> Iterator[Compose]:
    """A stack of its own, on small volumes; the images are there already."""
    stack = Compose("batos-e2e-small", ["tests/e2e/small_disks.yml"])
    try:
        stack.run("up", "--detach", "--no-build", "--wait", seconds=180)
        yield stack
    finally:
        stack.run("--profile", "demo", "down", "--volumes", "--timeout", "5")


@pytest.fixture
def short_of_disk(small: Compose, figures, request) -> Iterator[Load]:
    yield from under_load(small, figures, request.node.name)


@pytest.mark.timeout(300)
@pytest.mark.parametrize("service", ["memory", "supervisor", "toolforge"])
def test_a_full_disk(small: Compose, short_of_disk: Load, service):
    """Writes are refused by name while the volume is full, and go through once there is room."""
    small.python(service, FILL)
    before = refusals(short_of_disk)
    short_of_disk.wait(
        lambda: refusals(short_of_disk) > before + 3, 60, f"{service} writes on a full disk"
    )
    small.python(service, "import os; os.remove('/data/filler')")
    short_of_disk.goes_on()


def refusals(load: Load) -> int:
    """Over all kinds, so far."""
    return sum(load.lines[-1][kind]["refused"] for kind in KINDS)
