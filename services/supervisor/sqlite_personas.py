"""The model pointers in SQLite. The Codex gives only the first one."""

import sqlite3
from collections.abc import Callable
from dataclasses import replace

from services.supervisor import sqlite_events
from services.supervisor.codex import Codex
from services.supervisor.events import EventKind, Happening
from services.supervisor.persona import ModelPointer, Persona
from services.supervisor.sqlite_journal import Journal
from shared.errors import Aborted, NotFound

Receipt = Callable[[sqlite3.Connection, Persona], None]


class SqlitePersonas:
    """The personas of the Codex with the pointers that they have now."""

    def __init__(self, journal: Journal, codex: Codex) -> None:
        self._journal = journal
        self._codex = codex

    async def enrol(self) -> None:
        """Gives personas their first pointer; it follows the Codex until the first move."""
        rows = [(p.name, p.model.tag, p.model.digest) for p in self._codex.personas.values()]
        await self._journal.write(
            lambda c: c.executemany(
                "INSERT INTO personas VALUES (?, ?, ?, 1, NULL, NULL, NULL)"
                " ON CONFLICT (name) DO UPDATE SET tag = excluded.tag, digest = ''"
                " WHERE generation = 1 AND tag != excluded.tag",
                rows,
            )
        )

    async def adopt(self, codex: Codex) -> None:
        """Takes another Codex from now on. Personas that it lacks keep their Somas and pointers."""
        former, self._codex = self._codex, codex
        try:
            await self.enrol()
        except BaseException:
            self._codex = former
            raise
        names = ", ".join(codex.personas)
        happening = Happening(
            EventKind.CODEX_CHANGED, message=f"The Codex was taken anew: {names}."
        )
        await self._journal.write(lambda c: sqlite_events.append(c, happening))

    async def note_refusal(self, why: str) -> None:
        """Tells that a changed Codex was not taken."""
        happening = Happening(EventKind.CODEX_REFUSED, message=why)
        await self._journal.write(lambda c: sqlite_events.append(c, happening))

    async def get(self, name: str) -> Persona:
        """One persona; the toolsmith for "". NotFound where the Codex has no such persona."""
        entry = self._entry(name)
        return await self._journal.read(lambda c: _persona(c, entry))

    async def all(self) -> list[Persona]:
        """All personas, sorted by name."""
        entries = self._codex.personas.values()
        return await self._journal.read(lambda c: [_persona(c, entry) for entry in entries])

    async def note_digest(self, persona: Persona, digest: str) -> Persona:
        """Keeps the digest of a pointer that had none; the pointer does not move by this."""

        def note(connection: sqlite3.Connection) -> Persona:
            connection.execute(
                "UPDATE personas SET digest = ? WHERE name = ? AND generation = ? AND digest = ''",
                (digest, persona.name, persona.model.generation),
            )
            return _persona(connection, persona)

        return await self._journal.write(note)

    async def move(
        self, persona: Persona, model: ModelPointer, happening: Happening, receipt: Receipt
    ) -> Persona:
        """Moves a pointer on from where `persona` has it, in one transaction; see `move`."""
        return await self._journal.write(lambda c: move(c, persona, model, happening, receipt))

    def _entry(self, name: str) -> Persona:
        entry = self._codex.personas.get(name or self._codex.toolsmith)
        if entry is None:
            known = ", ".join(self._codex.personas)
            raise NotFound(f"there is no persona {name!r}; the Codex has {known}")
        return entry


def move(
    connection: sqlite3.Connection,
    persona: Persona,
    model: ModelPointer,
    happening: Happening,
    receipt: Receipt,
) -> Persona:
    """Compare-and-set: `model` becomes the pointer, the pointer becomes the previous one.

    Aborted where the pointer is no longer the one in `persona`.
    """
    changed = connection.execute(
        "UPDATE personas SET tag = ?, digest = ?, generation = generation + 1, previous_tag = tag,"
        " previous_digest = digest, previous_generation = generation"
        " WHERE name = ? AND generation = ?",
        (model.tag, model.digest, persona.name, persona.model.generation),
    ).rowcount
    if not changed:
        raise Aborted(f"the model pointer of {persona.name} was moved meanwhile; look again")
    sqlite_events.append(connection, happening)
    moved = _persona(connection, persona)
    receipt(connection, moved)
    return moved


def _persona(connection: sqlite3.Connection, entry: Persona) -> Persona:
    row = connection.execute("SELECT * FROM personas WHERE name = ?", (entry.name,)).fetchone()
    previous = None
    if row["previous_tag"] is not None:
        previous = ModelPointer(
            row["previous_tag"], row["previous_digest"], row["previous_generation"]
        )
    model = ModelPointer(row["tag"], row["digest"], row["generation"])
    return replace(entry, model=model, previous=previous)
