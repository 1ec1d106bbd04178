"""Memory as a process of its own, on a port of its own."""

import json
import os
import queue
import subprocess
import sys
import threading
import uuid
from collections.abc import Iterable, Sequence
from pathlib import Path

from batos.memory.v1 import memory_pb2 as pb
from google.protobuf.timestamp_pb2 import Timestamp

ROOT = Path(__file__).parents[3]
START_SECONDS = 100  # a busy machine; usually it takes two


def command() -> list[str]:
    return [sys.executable, "-m", "services.memory"]


def environment(data_dir: Path, **settings: str) -> dict[str, str]:
    return {
        **os.environ,
        "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'protos'}",
        "BATOS_MEMORY_DATA_DIR": str(data_dir),
        "BATOS_MEMORY_LISTEN": "127.0.0.1:0",
        "BATOS_MEMORY_LOG_FORMAT": "json",
        **settings,
    }


class MemoryProcess:
    """A running `python -m services.memory`; `address` is where it serves."""

    def __init__(self, data_dir: Path, **settings: str) -> None:
        self.process = subprocess.Popen(
            command(),
            cwd=ROOT,
            env=environment(data_dir, **settings),
            stderr=subprocess.PIPE,
            text=True,
        )
        self.data_dir = data_dir
        self.lines: list[str] = []
        self._addresses: queue.Queue[str] = queue.Queue()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        try:
            self.address = self._addresses.get(timeout=START_SECONDS)
        except queue.Empty:
            self.kill()
            raise AssertionError(f"memory did not start:\n{''.join(self.lines)}") from None

    def stop(self) -> int:
        """SIGTERM; returns the exit status."""
        self.process.terminate()
        return self._end()

    def kill(self) -> int:
        """SIGKILL."""
        self.process.kill()
        return self._end()

    def _end(self) -> int:
        status = self.process.wait(timeout=20)
        self._reader.join(timeout=5)
        self.process.stderr.close()
        return status

    def _read(self) -> None:
        for line in self.process.stderr:
            self.lines.append(line)
            if line.startswith("{") and (entry := json.loads(line)).get("event") == "serving":
                self._addresses.put(entry["address"])


def request_id() -> str:
    return str(uuid.uuid4())


def batch(
    texts: Iterable[str], *, namespace: str = "people", soma: str = "somas/1", start: int = 1000
) -> pb.CreateEpisodesRequest:
    """One batch; the texts were said a second apart."""
    return pb.CreateEpisodesRequest(
        request_id=request_id(),
        namespace=namespace,
        episodes=[
            pb.NewEpisode(
                soma=soma, speaker="user", text=text, created_at=Timestamp(seconds=start + place)
            )
            for place, text in enumerate(texts)
        ],
    )


async def send(stub, *requests: pb.CreateEpisodesRequest) -> Sequence[pb.CreateEpisodesResponse]:
    """All batches over one stream; the acknowledgements in their order."""

    async def stream():
        for request in requests:
            yield request

    return [answer async for answer in stub.CreateEpisodes(stream())]
