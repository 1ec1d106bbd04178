"""One running service: started, asked whether it is ready, stopped, always reaped."""

import asyncio
import os
import sys
from collections.abc import Mapping
from pathlib import Path

import grpc
import httpx

from deploy.local.topology import ROOT, ServiceKind
from shared.probe import is_serving
from shared.process import DIE_WITH_PARENT

_POLL_SECONDS = 0.1
_STOP_SECONDS = 12.0


class ServiceProcess:
    """A service as a child process whose stderr goes to a log file."""

    def __init__(
        self, kind: ServiceKind, address: str, environment: Mapping[str, str], log: Path
    ) -> None:
        self.kind = kind
        self.address = address
        self.log = log
        self._environment = dict(environment)
        tls_dir = self._environment.get("BATOS_TLS_DIR")
        self._tls_dir = Path(tls_dir) if tls_dir else None
        self._process: asyncio.subprocess.Process | None = None

    @property
    def pid(self) -> int | None:
        """The process id; None before the start."""
        return self._process.pid if self._process else None

    @property
    def exit_status(self) -> int | None:
        """None while it runs; negative for the signal that ended it."""
        return self._process.returncode if self._process else None

    async def start(self) -> None:
        """Starts the process; the kernel ends it when ours dies."""
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                self.kind.module,
                cwd=ROOT,
                env=os.environ | self._environment | {DIE_WITH_PARENT: str(os.getpid())},
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,  # Ctrl-C reaches us alone, and we stop the services
            )

    async def stop(self) -> None:
        """SIGTERM, then SIGKILL when it takes too long; returns once it is reaped."""
        if self._process is None or self._process.returncode is not None:
            return
        self._process.terminate()
        try:
            await asyncio.wait_for(self._process.wait(), _STOP_SECONDS)
        except TimeoutError:
            self._process.kill()
            await self._process.wait()

    async def kill(self) -> None:
        """SIGKILL, for tests of what a crash leaves behind."""
        if self._process is not None and self._process.returncode is None:
            self._process.kill()
            await self._process.wait()

    async def is_serving(self) -> bool | None:
        """True or False as the service says itself, None while it does not answer."""
        return await (self._ask_http() if self.kind.http else self._ask_health())

    async def wait_until_serving(self, seconds: float) -> bool:
        """Waits for SERVING; False where it does not come in time or the process ends."""
        deadline = asyncio.get_running_loop().time() + seconds
        while asyncio.get_running_loop().time() < deadline and self.exit_status is None:
            if await self.is_serving():
                return True
            await asyncio.sleep(_POLL_SECONDS)
        return False

    def log_tail(self, lines: int = 8) -> str:
        """The last lines that it logged."""
        if not self.log.exists():
            return ""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])

    async def _ask_health(self) -> bool | None:
        try:
            return await is_serving(self.address, self._tls_dir, seconds=2)
        except grpc.aio.AioRpcError:
            return None

    async def _ask_http(self) -> bool | None:
        async with httpx.AsyncClient(timeout=2) as client:
            try:
                response = await client.get(f"http://{self.address}{self.kind.health_path}")
            except httpx.HTTPError:
                return None
        return response.status_code == httpx.codes.OK
