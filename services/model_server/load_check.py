"""Tries a model file in a process of its own: llama.cpp may crash on a file made to hurt it.

A file that passed can be loaded by the server without danger to what else it serves.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from services.model_server.errors import BadModelError, LoadError
from services.model_server.runner import Chunk, Runner, RunnerSpec

_ROOT = Path(__file__).parents[2]
_TIMEOUT_SECONDS = 300
_CONTEXT = 32


def check_loads(path: Path) -> None:
    """BadModelError where the file cannot be loaded and asked for one token. Blocks."""
    command = [sys.executable, "-m", "services.model_server.load_check", str(path)]
    try:
        child = subprocess.run(
            command, cwd=_ROOT, capture_output=True, timeout=_TIMEOUT_SECONDS, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise BadModelError("the model file takes too long to load") from error
    if child.returncode:
        raise BadModelError(f"llama.cpp cannot load the model file{_reason(child.stderr)}")


def _reason(output: bytes) -> str:
    lines = output.decode(errors="replace").splitlines()
    told = next((line for line in lines if "error loading model" in line), "")
    return told[told.index(":") :] if ":" in told else ""


def main() -> None:
    """Exit status 0 only for a file that works."""
    try:
        runner = Runner(RunnerSpec(Path(sys.argv[1]), _CONTEXT, threads=1))
    except LoadError as error:
        raise SystemExit(str(error)) from error
    failed: list[Chunk] = []

    def note(chunk: Chunk) -> bool:
        if "error" in chunk:
            failed.append(chunk)
        return False

    runner.complete({"prompt": "a", "max_tokens": 1}, note)
    if failed:
        raise SystemExit(str(failed[0]))


if __name__ == "__main__":
    main()
