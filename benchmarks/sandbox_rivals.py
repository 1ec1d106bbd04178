"""Other ways to run `print(1)`: a plain subprocess, `docker run` with gVisor, llm-sandbox."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import docker
import docker.errors
import requests.exceptions

SOURCE = "print(1)"
IMAGE = "python:3.11-slim-bookworm"
# The flags that the idea began with: one container per run, shut off and bounded.
DOCKER_RUN = [
    *("docker", "run", "--rm", "--runtime=runsc", "--network=none", "--read-only"),
    *("--memory=256m", "--pids-limit=64", "--cap-drop=ALL", "--security-opt=no-new-privileges"),
    *("--user=65534:65534", IMAGE, "python3", "-I", "-S", "-c", SOURCE),
]

Run = Callable[[], None]


def has_docker() -> bool:
    """Whether there is a Docker with gVisor and the image."""
    try:
        client = docker.from_env(timeout=5)
        client.images.get(IMAGE)
        return "runsc" in client.info()["Runtimes"]
    except (docker.errors.DockerException, requests.exceptions.RequestException, OSError):
        return False


def python_subprocess() -> None:
    """Without any sandbox: what an interpreter costs by itself."""
    _expect_one([sys.executable, "-I", "-S", "-c", SOURCE])


def docker_run() -> None:
    """A container of its own for each run."""
    _expect_one(DOCKER_RUN)


@contextmanager
def llm_sandbox() -> Iterator[Run]:
    """llm-sandbox with its pool on Docker; it uses its containers again and again.

    On Docker's own runtime, the host's kernel: it copies files into a running container, which
    gVisor does not see.
    """
    from llm_sandbox.pool import PoolConfig, create_pool_manager
    from llm_sandbox.pool.session import PooledSandboxSession

    config = PoolConfig(min_pool_size=2, max_pool_size=4)
    pool = create_pool_manager(config=config, image=IMAGE)

    def run() -> None:
        with PooledSandboxSession(pool_manager=pool) as session:
            assert session.run(SOURCE).stdout.strip() == "1"

    with pool:
        yield run


def _expect_one(command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout == "1\n", done
