"""Starts services together, watches over them, and stops them together."""

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType

from deploy.local.service_process import ServiceProcess
from deploy.local.topology import ALL_SERVICES, EDGE_SERVICES, environments, free_ports

_READY_SECONDS = 90.0


class ServiceDied(Exception):
    """A service ended that should be running; the message holds its last log lines."""


class LocalStack:
    """Services as processes on loopback ports, with state under `data_dir`.

    `services` are names of ALL_SERVICES, which all start by default, and of EDGE_SERVICES;
    `settings` are further variables for all of them; `identities` is a root of `deploy.identity`
    that holds one of each name, for mTLS between them.
    Used as an async context manager: entering returns once everything serves, except the services
    in `may_be_down`, of which `not_serving` then tells; leaving stops everything.
    """

    def __init__(
        self,
        data_dir: Path,
        *,
        services: Sequence[str] = tuple(ALL_SERVICES),
        settings: Mapping[str, str] | None = None,
        may_be_down: Sequence[str] = (),
        identities: Path | None = None,
    ) -> None:
        known = {**ALL_SERVICES, **EDGE_SERVICES}
        kinds = [known[name] for name in services]
        ports = free_ports(len(kinds))
        self.data_dir = data_dir
        self.addresses = {
            kind.name: f"127.0.0.1:{port}" for kind, port in zip(kinds, ports, strict=True)
        }
        variables = environments(kinds, self.addresses, data_dir, identities)
        self.processes = {
            kind.name: ServiceProcess(
                kind,
                self.addresses[kind.name],
                variables[kind.name] | dict(settings or {}),
                data_dir / "logs" / f"{kind.name}.log",
            )
            for kind in kinds
        }
        self.not_serving: set[str] = set()
        self._may_be_down = set(may_be_down)

    async def __aenter__(self) -> "LocalStack":
        try:
            await asyncio.gather(*(process.start() for process in self.processes.values()))
            await asyncio.gather(*(self._wait(name) for name in self.processes))
        except BaseException:
            await self.stop()
            raise
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.stop()

    async def stop(self) -> None:
        """Stops all, callers before those that they call."""
        for name in reversed(self.processes):
            if name in ("memory", "sandbox-executor", "model-server"):
                continue
            await self.processes[name].stop()
        await asyncio.gather(*(process.stop() for process in self.processes.values()))

    async def restart(self, name: str) -> None:
        """Starts one service again, on its old port and state."""
        await self.processes[name].stop()
        await self.processes[name].start()
        await self._wait(name)

    def died(self) -> list[str]:
        """A sentence for each service that is no longer running."""
        return [
            f"{name} ended with status {process.exit_status}"
            for name, process in self.processes.items()
            if process.exit_status is not None
        ]

    async def _wait(self, name: str) -> None:
        process = self.processes[name]
        patience = 15.0 if name in self._may_be_down else _READY_SECONDS
        if await process.wait_until_serving(patience):
            self.not_serving.discard(name)
        elif process.exit_status is not None or name not in self._may_be_down:
            raise ServiceDied(f"{name} does not serve; its log ends with\n{process.log_tail()}")
        else:
            self.not_serving.add(name)
