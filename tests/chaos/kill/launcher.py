"""Runs a service that kills itself at a chosen point: python -m tests.chaos.kill.launcher

BATOS_KILL_MODULE names the service's module, BATOS_KILL_FILE a file. While that file exists, its
number says how many points are passed by before the process ends by SIGKILL. Points lie right
before and right after each commit to SQLite, and each one of Memory's table: a method of the store
may make several. With BATOS_KILL_AT_SYNCS they also lie around every other sync.
"""

import os
import runpy
import signal
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

from shared.sqlite import Database

FILE = Path(os.environ["BATOS_KILL_FILE"])


def point() -> None:
    """Ends the process here, or counts down."""
    try:
        left = int(FILE.read_text())
    except (FileNotFoundError, ValueError):
        return
    if left == 0:
        os.kill(os.getpid(), signal.SIGKILL)
    FILE.write_text(str(left - 1))


def at_commits() -> None:
    """Points around each transaction of `shared.sqlite`."""
    transact = Database._transact

    def traced(self: Database, function: Callable[[sqlite3.Connection], Any]) -> Any:
        connection = self._write_connection
        assert connection is not None
        connection.set_trace_callback(lambda sql: point() if sql == "COMMIT" else None)
        result = transact(self, function)
        point()
        return result

    Database._transact = traced  # type: ignore[method-assign]


def at_table_changes() -> None:
    """Points around each commit of the LanceDB table."""
    from services.memory.lance_table import LanceTable

    commit = LanceTable.commit

    async def surrounded(*args: Any) -> Any:
        point()
        result = await commit(*args)
        point()
        return result

    LanceTable.commit = surrounded  # type: ignore[method-assign]


def at_syncs() -> None:
    """Points around each file or folder that is synced outside of SQLite."""
    sync = os.fsync

    def surrounded(descriptor: int) -> None:
        point()
        sync(descriptor)
        point()

    os.fsync = surrounded


if __name__ == "__main__":
    module = os.environ["BATOS_KILL_MODULE"]
    at_commits()
    if module == "services.memory":
        at_table_changes()
    if os.environ.get("BATOS_KILL_AT_SYNCS"):
        at_syncs()
    runpy.run_module(module, run_name="__main__", alter_sys=True)
