"""Operator tokens: who may use the gateway, and for what.

A token is shown once, when it is made; what is kept is its SHA-256. It has 256 random bits, so
nothing slower than that is needed to keep it from being guessed.
"""

from __future__ import annotations

import hashlib
import secrets
import sqlite3
import time
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from shared.errors import InvalidArgument, NotFound
from shared.sqlite import Database

MIGRATION = """
CREATE TABLE tokens (
    id TEXT PRIMARY KEY,
    name TEXT NOT NULL,
    scopes TEXT NOT NULL,
    sha256 BLOB NOT NULL UNIQUE,
    created_at REAL NOT NULL,
    expires_at REAL,  -- NULL is never
    revoked_at REAL
) STRICT;
"""
PREFIX = "batos_"
_NAME_LIMIT = 64


class Scope(StrEnum):
    """What a token is good for: looking (models, status), talking, embedding."""

    READ = "read"
    CHAT = "chat"
    EMBED = "embed"


@dataclass(frozen=True, slots=True)
class Token:
    """A token without its secret. Times are seconds since 1970; None is never."""

    id: str
    name: str
    scopes: frozenset[Scope]
    created_at: float
    expires_at: float | None
    revoked_at: float | None

    def is_good(self, now: float) -> bool:
        """Whether it may be used."""
        return self.revoked_at is None and (self.expires_at is None or now < self.expires_at)


class Tokens:
    """The tokens of one gateway; `database` has MIGRATION."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def create(
        self, name: str, scopes: Sequence[Scope], lifetime_seconds: float | None = None
    ) -> tuple[Token, str]:
        """A new token and its secret, which nobody can be told again. InvalidArgument."""
        if not name.strip() or len(name) > _NAME_LIMIT or not name.isprintable():
            raise InvalidArgument.of_field("name", f"1 to {_NAME_LIMIT} characters in one line")
        if not scopes:
            raise InvalidArgument.of_field("scopes", f"one of {', '.join(Scope)} at least")
        if lifetime_seconds is not None and not lifetime_seconds > 0:
            raise InvalidArgument.of_field("lifetime", "must be above zero")
        now, secret = time.time(), PREFIX + secrets.token_urlsafe(32)
        expires = None if lifetime_seconds is None else now + lifetime_seconds
        token = Token(secrets.token_hex(4), name, frozenset(scopes), now, expires, None)
        row = (token.id, name, " ".join(sorted(scopes)), _hashed(secret), now, expires)
        await self._database.write(
            lambda c: c.execute("INSERT INTO tokens VALUES (?, ?, ?, ?, ?, ?, NULL)", row)
        )
        return token, secret

    async def of(self, secret: str) -> Token | None:
        """The token with this secret, where it is good; None for any other."""
        row = await self._database.read(
            lambda c: c.execute(
                "SELECT * FROM tokens WHERE sha256 = ?", (_hashed(secret),)
            ).fetchone()
        )
        token = _token(row) if row else None
        return token if token and token.is_good(time.time()) else None

    async def all(self) -> list[Token]:
        """Every token that was ever made, the newest first."""
        rows = await self._database.read(
            lambda c: c.execute("SELECT * FROM tokens ORDER BY created_at DESC").fetchall()
        )
        return [_token(row) for row in rows]

    async def revoke(self, token_id: str) -> None:
        """Ends a token from the next request on, again without effect; NotFound."""

        def write(connection: sqlite3.Connection) -> int:
            return connection.execute(
                "UPDATE tokens SET revoked_at = coalesce(revoked_at, ?) WHERE id = ?",
                (time.time(), token_id),
            ).rowcount

        if not await self._database.write(write):
            raise NotFound(f"there is no token {token_id}", reason="TOKEN_NOT_FOUND")


def _hashed(secret: str) -> bytes:
    return hashlib.sha256(secret.encode("utf-8", "replace")).digest()


def _token(row: sqlite3.Row) -> Token:
    scopes = frozenset(Scope(word) for word in row["scopes"].split())
    times = (row["created_at"], row["expires_at"], row["revoked_at"])
    return Token(row["id"], row["name"], scopes, *times)
