"""The port to whatever boots sandboxes."""

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True)
class RuntimeInfo:
    """What separates guest from host: name, version and isolation, in words for people."""

    name: str
    version: str
    isolation: str


@dataclass(frozen=True)
class Tasks:
    """What the sentry accounts: processes and threads alive, CPU seconds since it was ready."""

    count: int
    cpu_seconds: float


class Sandbox(Protocol):
    """One booted sandbox with an interpreter that waits for its only request.

    The four descriptors are ours, non-blocking: the guest's stdin to write to, and its reports,
    stdout and stderr to read from. `helpers` are processes of ours in there, which no limit of a
    run is meant for.
    """

    id: str
    requests: int
    reports: int
    stdout: int
    stderr: int
    helpers: int

    def alive(self) -> bool:
        """False once it has ended by itself."""
        ...

    def pause(self) -> None:
        """Stops it until it is needed, since an idle one still costs some per cent of a core."""
        ...

    def resume(self) -> None:
        """Lets it run."""
        ...

    def memory_bytes(self) -> int:
        """Memory in use on behalf of the guest now, seen from outside; 0 where it is gone."""
        ...

    async def tasks(self) -> Tasks | None:
        """What the sentry accounts now; None where it does not answer."""
        ...

    async def exit_status(self) -> int | None:
        """Its exit status, 128 + signal where one ended it; None where it still runs."""
        ...

    async def out_of_memory(self) -> bool:
        """Whether the host's kernel ended something in it for want of memory."""
        ...

    def kill(self) -> None:
        """Ends everything in it at once; returns without waiting."""
        ...

    async def destroy(self) -> None:
        """Kills, reaps, and removes all that it left on the host."""
        ...


class Runtime(Protocol):
    """Boots sandboxes."""

    async def probe(self) -> RuntimeInfo:
        """What it is. Raises shared.errors.Unavailable with what to install where it is not."""
        ...

    async def boot(self) -> Sandbox:
        """A fresh sandbox whose interpreter waits. Raises shared.errors.Unavailable."""
        ...
