"""Runs the Guestbook: settings → adapters → servicer → serve."""

import contextlib

from batos.guestbook.v1 import guestbook_pb2
from batos.guestbook.v1.guestbook_pb2_grpc import add_GuestbookServiceServicer_to_server

from services.guestbook.servicer import GuestbookServicer
from services.guestbook.settings import GuestbookSettings
from services.guestbook.sqlite_guestbook import MIGRATION, SqliteGuestbook
from shared import logs, process, server
from shared.directory_lock import DirectoryLock
from shared.ledger import Ledger
from shared.settings import load
from shared.sqlite import Database


async def main(settings: GuestbookSettings) -> None:
    """Serves until SIGTERM."""
    async with contextlib.AsyncExitStack() as stack:
        stack.callback(DirectoryLock(settings.data_dir).release)
        database = Database(settings.data_dir / "guestbook.sqlite", (Ledger.MIGRATION, MIGRATION))
        await database.open()
        stack.push_async_callback(database.close)
        servicer = GuestbookServicer(SqliteGuestbook(database), Ledger(database))
        await server.serve(
            settings,
            guestbook_pb2.DESCRIPTOR,
            lambda grpc_server: add_GuestbookServiceServicer_to_server(servicer, grpc_server),
        )


if __name__ == "__main__":
    loaded = load(GuestbookSettings, "guestbook")
    logs.configure("guestbook", loaded.log_level, loaded.log_format)
    process.run("guestbook", main(loaded))
