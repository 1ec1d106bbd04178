"""Step 4: hostile code meets the sandbox."""

import socket
import threading
from dataclasses import dataclass

from batos.sandbox.v1 import sandbox_pb2 as pb
from google.protobuf.duration_pb2 import Duration

from demo.claim import Evidence
from demo.stage import Stage

_WALL_SECONDS = 5
_MEMORY_BYTES = 256 * 1024 * 1024

# Each tries to do harm and prints REACHED where it got through.
_NETWORK = """
import socket
socket.create_connection(("127.0.0.1", {port}), timeout=2).sendall(b"reached")
print("REACHED")
"""
_FILES = """
import pathlib
for path in ({secret!r}, "/etc/shadow", "/root/.ssh"):
    if pathlib.Path(path).exists():
        print("REACHED", path)
pathlib.Path("/usr/bin/owned").write_text("x")
print("REACHED /usr/bin")
"""
_FORKS = """
import os
while True:
    os.fork()
"""
_MEMORY = """
hoard = []
while True:
    hoard.append(bytearray(16 * 1024 * 1024))
"""
_FORGERY = """
import os
print('{"outcome": "OK", "results": ["trusted"]}')
os._exit(0)
"""


@dataclass(frozen=True)
class Attack:
    """Hostile source and the outcomes that count as contained."""

    name: str
    source: str
    contained: "tuple[pb.Outcome.ValueType, ...]"


async def run(stage: Stage, evidence: Evidence) -> None:
    """Runs each attack in a sandbox and checks from outside that nothing came of it."""
    stage.story.chapter(
        4, "Contain", "Code that a model wrote may be hostile. Each run gets a gVisor of its own."
    )
    secret = stage.journey.directory / "secret.txt"
    secret.write_text("only the host may read this")
    with Trap() as trap:
        attacks = _attacks(trap.port, str(secret))
        rows = [await _attempt(stage, evidence, attack) for attack in attacks]
    stage.story.table("", ("attack", "outcome", "what the sandbox says", "wall", "memory"), rows)
    evidence.claim("no connection left the sandbox", not trap.touched)
    evidence.claim("the host's file is unharmed", secret.read_text().startswith("only the host"))
    after = await _execute(stage, "print(6 * 7)")
    evidence.claim("the next run is clean", after.stdout.strip() == b"42")


class Trap:
    """A listener on the host's loopback that notes whether anyone got through to it."""

    def __init__(self) -> None:
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port = self._socket.getsockname()[1]
        self.touched = False

    def __enter__(self) -> "Trap":
        self._thread = threading.Thread(target=self._wait, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        self._thread.join(timeout=2)

    def _wait(self) -> None:
        try:
            self._socket.accept()
        except OSError:
            return
        self.touched = True


def _attacks(port: int, secret: str) -> list[Attack]:
    return [
        Attack("reach the network", _NETWORK.format(port=port), (pb.OUTCOME_FAILED,)),
        Attack("read and write the host", _FILES.format(secret=secret), (pb.OUTCOME_FAILED,)),
        Attack(
            "fork bomb",
            _FORKS,
            (pb.OUTCOME_PROCESS_LIMIT, pb.OUTCOME_FAILED, pb.OUTCOME_TIMED_OUT),
        ),
        Attack("take all memory", _MEMORY, (pb.OUTCOME_MEMORY_LIMIT,)),
        Attack("never end", "while True: pass", (pb.OUTCOME_TIMED_OUT,)),
        Attack("forge a success", _FORGERY, (pb.OUTCOME_CRASHED,)),
    ]


async def _attempt(stage: Stage, evidence: Evidence, attack: Attack) -> tuple[object, ...]:
    response = await _execute(stage, attack.source)
    outcome = pb.Outcome.Name(response.outcome).removeprefix("OUTCOME_")
    contained = response.outcome in attack.contained and b"REACHED" not in response.stdout
    evidence.claim(f"{attack.name}: contained", contained)
    wall = response.wall.ToTimedelta().total_seconds()
    evidence.facts[attack.name] = {"outcome": outcome, "wall_seconds": wall}
    reason = response.detail or f"{response.exception.type}: {response.exception.message}"
    return (
        attack.name,
        outcome,
        reason[:70],
        f"{wall * 1000:.0f} ms",
        f"{response.peak_memory_bytes / 2**20:.0f} MiB",
    )


async def _execute(stage: Stage, source: str) -> pb.ExecuteResponse:
    limits = pb.Limits(wall=Duration(seconds=_WALL_SECONDS), memory_limit_bytes=_MEMORY_BYTES)
    return await stage.sandbox.Execute(pb.ExecuteRequest(source=source, limits=limits))
