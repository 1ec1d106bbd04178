"""Docker Compose as the tests drive it, on a project of their own."""

import json
import os
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from deploy.local.topology import free_ports

ROOT = Path(__file__).resolve().parents[2]
PROJECT = "batos-e2e"
FILES = ("docker-compose.yml", "deploy/compose.embedded.yml")
SERVICES = ("memory", "sandbox-executor", "toolforge", "trainer", "supervisor")
EDGE = ("gateway",)
IMAGES = (*SERVICES, *EDGE, "model-server", "operator")
BASE = "python:3.11-slim-bookworm"
PUBLISHED = ("memory", "toolforge", "trainer", "supervisor", *EDGE)


def docker(*arguments: str, seconds: float = 120) -> str:
    """What a docker command prints; fails with its stderr."""
    done = subprocess.run(
        ["docker", *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=seconds,
        check=False,
    )
    assert done.returncode == 0, f"docker {' '.join(arguments)}\n{done.stdout}{done.stderr}"
    return done.stdout.strip()


class Compose:
    """The stack under test."""

    def __init__(self, project: str = PROJECT, more_files: Sequence[str] = ()) -> None:
        self.project = project
        self._files = (*FILES, *more_files)
        self.ports = dict(zip(PUBLISHED, free_ports(len(PUBLISHED)), strict=True))
        variables = {f"BATOS_{name.upper()}_PORT": str(port) for name, port in self.ports.items()}
        self.healthy_seconds = float("inf")
        self._environment: Mapping[str, str] = os.environ | variables

    def command(self, *arguments: str) -> list[str]:
        """The whole command line."""
        files = [part for file in self._files for part in ("--file", file)]
        return ["docker", "compose", "--project-name", self.project, *files, *arguments]

    def run(self, *arguments: str, seconds: float = 120) -> str:
        """What a compose command prints; fails with its stderr."""
        done = subprocess.run(
            self.command(*arguments),
            cwd=ROOT,
            env=self._environment,
            capture_output=True,
            text=True,
            timeout=seconds,
            check=False,
        )
        assert done.returncode == 0, f"{' '.join(arguments)}\n{done.stdout}{done.stderr}"
        return done.stdout

    def begin(self, *arguments: str) -> subprocess.Popen[str]:
        """A compose command that goes on, with pipes to and from it."""
        return subprocess.Popen(
            self.command(*arguments),
            cwd=ROOT,
            env=self._environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def scale(self, replicas: int) -> None:
        """So many sandbox-executors, once all of them serve."""
        self.run(
            *("up", "--detach", "--no-recreate", "--wait", "--scale"),
            *(f"sandbox-executor={replicas}", "sandbox-executor"),
            seconds=180,
        )

    def containers(self, service: str) -> list[dict[str, Any]]:
        """`docker inspect` of each running container of a service."""
        identifiers = self.run("ps", "--quiet", service).split()
        inspected: list[dict[str, Any]] = json.loads(docker("inspect", *identifiers))
        return inspected

    def python(self, service: str, program: str) -> str:
        """What a Python program prints inside a service's container."""
        return self.run("exec", "--no-TTY", service, "python", "-c", program)
