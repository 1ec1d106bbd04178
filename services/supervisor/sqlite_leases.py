"""The standing of the GPU lease in SQLite, and the swap that ends it."""

import sqlite3

from services.supervisor import sqlite_events, sqlite_personas
from services.supervisor.events import EventKind, Happening
from services.supervisor.gpu_lease import Claim, ServingState, Standing
from services.supervisor.persona import Persona
from services.supervisor.sqlite_journal import Journal
from services.supervisor.swap import Receipt, Report
from shared.errors import Aborted


class SqliteLeases:
    """`Leases`, and the one transaction of a swap."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal

    async def load(self) -> Standing:
        """As it was saved last; SERVING with token 0 at the very first."""
        row = await self._journal.read(lambda c: c.execute("SELECT * FROM gpu_lease").fetchone())
        claim = Claim(
            row["request_id"], row["holder"], row["ttl_us"] / 1e6, row["expected_us"] / 1e6
        )
        return Standing(ServingState(row["state"]), row["fencing_token"], claim)

    async def save(self, standing: Standing, happening: Happening | None = None) -> None:
        """Keeps a standing and its event together."""

        def update(connection: sqlite3.Connection) -> None:
            _update(connection, standing)
            if happening:
                sqlite_events.append(connection, happening)

        await self._journal.write(update)

    async def commit(self, persona: Persona, report: Report, receipt: Receipt) -> Persona:
        """Moves the pointer and ends the lease, both or neither.

        Aborted where the pointer was moved meanwhile, or the lease is not in its swap.
        """

        def swap(connection: sqlite3.Connection) -> Persona:
            ended = connection.execute(
                "UPDATE gpu_lease SET state = ?, holder = '', request_id = ''"
                " WHERE state = ? AND fencing_token = ?",
                (ServingState.SERVING, ServingState.SWAPPING, report.fencing_token),
            ).rowcount
            if not ended:
                raise Aborted("the lease of this swap is over")
            tuned = Happening(
                EventKind.MODEL_TUNED,
                persona.name,
                report.training_run,
                f"{persona.name} speaks with {report.model.tag} now, not {persona.model.tag}.",
            )
            moved = sqlite_personas.move(connection, persona, report.model, tuned, receipt)
            released = "The swap is done; the GPU is free."
            sqlite_events.append(
                connection,
                Happening(EventKind.LEASE_RELEASED, subject=report.training_run, message=released),
            )
            return moved

        return await self._journal.write(swap)

    async def refuse(self, report: Report, reasons: str) -> None:
        """Tells of a swap that was refused."""
        refused = Happening(EventKind.SWAP_REFUSED, report.persona, report.training_run, reasons)
        await self._journal.write(lambda c: sqlite_events.append(c, refused))


def _update(connection: sqlite3.Connection, standing: Standing) -> None:
    claim = standing.claim
    connection.execute(
        "UPDATE gpu_lease SET state = ?, fencing_token = ?, holder = ?, request_id = ?,"
        " ttl_us = ?, expected_us = ?",
        (
            standing.state,
            standing.fencing_token,
            claim.holder,
            claim.request_id,
            round(claim.ttl * 1e6),
            round(claim.expected * 1e6),
        ),
    )
