"""The whole stack in containers, built and started once for all tests here, and removed again.

There is no skipping: where Docker is missing these tests fail. `make test` leaves this folder out
and says so; `make e2e` runs it. Budget: 15 minutes on two cores, most of it building images.
"""

import time
from collections.abc import Iterator

import pytest

from tests.e2e.compose import Compose, docker

FIGURES: list[tuple[str, str]] = []


@pytest.fixture(scope="session")
def figures() -> list[tuple[str, str]]:
    """What is printed at the end: (name, value)."""
    return FIGURES


@pytest.fixture(scope="session")
def compose(figures: list[tuple[str, str]]) -> Iterator[Compose]:
    """Built, up and healthy."""
    docker("info")
    stack = Compose()
    stack.run("--profile", "demo", "down", "--volumes", "--timeout", "5")
    begun = time.monotonic()
    stack.run("build", seconds=900)
    built = time.monotonic()
    figures.append(("build of all images", f"{built - begun:.0f} s"))
    try:
        stack.run("up", "--detach", "--wait", seconds=180)
        figures.append(("images to all healthy", f"{time.monotonic() - built:.1f} s"))
        stack.healthy_seconds = time.monotonic() - built
        yield stack
    except AssertionError:
        print(stack.run("logs", "--tail", "30"))
        raise
    finally:
        stack.run("--profile", "demo", "down", "--volumes", "--timeout", "20")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """The figures, before the last line."""
    if FIGURES:
        terminalreporter.section("figures")
    for name, value in FIGURES:
        terminalreporter.write_line(f"{name:<42} {value}")
