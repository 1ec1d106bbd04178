"""Tries a model file in a process of its own: llama.cpp may crash on a file made to hurt it.

A file that passed can be loaded by the server without danger to what else it serves.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from services.model_server.errors import LoadError
from services.model_server.runner import Chunk, Runner, RunnerSpec
from shared.llama_gguf.errors import BadModelError

_ROOT = Path(__file__).parents[2]
_TIMEOUT_SECONDS = 120
_CONTEXT = 64
_QUESTION = [{"role": "user", "content": "a"}]
_TOLD = "refused: "


def check_loads(path: Path, template: str, adapters: Sequence[Path] = ()) -> None:
    """BadModelError where the model, with this Jinja template or its own, answers no chat.

    Blocks until the child has ended.
    """
    files = map(str, (path, *adapters))
    command = [sys.executable, "-m", "services.model_server.load_check", *files]
    try:
        child = subprocess.run(
            command,
            cwd=_ROOT,
            env={**os.environ, "GGML_NO_BACKTRACE": "1"},  # else it calls a debugger
            input=template.encode(),
            capture_output=True,
            timeout=_TIMEOUT_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise BadModelError("the model file takes too long to load") from error
    if child.returncode:
        raise BadModelError(f"llama.cpp cannot use the model{_reason(child.stderr)}")


def _reason(output: bytes) -> str:
    """What the child told, or nothing where it crashed before it could."""
    lines = output.decode(errors="replace").splitlines()
    marks = (_TOLD, "error loading model: ", "chat template parsing error: ")
    told = [line.partition(mark)[2] for mark in marks for line in lines if mark in line]
    return f": {told[0][:300]}" if told else ""


def main() -> None:
    """Exit status 0 only for a file that works; the template comes on standard input."""
    path, *adapters = map(Path, sys.argv[1:])
    spec = RunnerSpec(
        path, _CONTEXT, threads=1, chat_template=sys.stdin.read(), adapters=tuple(adapters)
    )
    failures: list[Chunk] = []

    def note(chunk: Chunk) -> bool:
        failures.extend([chunk["error"]] if "error" in chunk else [])
        return False

    try:
        runner = Runner(spec)
        runner.chat({"messages": _QUESTION, "max_tokens": 1}, note)
    except LoadError as error:
        raise SystemExit(str(error)) from error
    except (RuntimeError, ValueError) as error:
        raise SystemExit(f"{_TOLD}{' '.join(str(error).split())}") from error
    if failures and failures[0].get("type") != "exceed_context_size_error":
        raise SystemExit(f"{_TOLD}{failures[0].get('message')}")


if __name__ == "__main__":
    main()
