"""Makes, lists and revokes operator tokens, and shows who did what.

Usage: python -m services.gateway.manage create NAME --scope chat [--scope embed] [--days 90]
       python -m services.gateway.manage list | revoke ID | audit [--token ID] [--count 50]
"""

from __future__ import annotations

import argparse
import asyncio
import dataclasses
import json
import sys
from collections.abc import Sequence
from datetime import UTC, datetime

from services.gateway.audit import AuditLog, Deed
from services.gateway.records import opened
from services.gateway.settings import GatewaySettings
from services.gateway.tokens import Scope, Token, Tokens
from shared.errors import BatosError
from shared.settings import load

_PROGRAM = "python -m services.gateway.manage"
_DAY_SECONDS = 86_400


def main(argv: Sequence[str] | None = None) -> None:
    """Does one thing with the gateway's records, which may be in use; exit status 1 on refusal."""
    arguments = _parser().parse_args(argv)
    try:
        asyncio.run(_do(arguments))
    except BatosError as error:
        sys.stderr.write(f"gateway: {error.message} ({error.reason})\n")
        raise SystemExit(1) from None


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog=_PROGRAM, description="Operator tokens and who did what.")
    parser.add_argument("--json", action="store_true", help="one JSON object a line")
    commands = parser.add_subparsers(dest="command", required=True)
    create = commands.add_parser("create", help="a new token, shown this once")
    create.add_argument("name", help="whose it is, or what for")
    create.add_argument(
        "--scope", action="append", type=Scope, choices=list(Scope), default=[], required=True
    )
    create.add_argument("--days", type=float, help="how long it is good; without it for ever")
    commands.add_parser("list", help="all tokens, without their secrets")
    revoke = commands.add_parser("revoke", help="end a token at once")
    revoke.add_argument("id")
    audit = commands.add_parser("audit", help="the latest requests")
    audit.add_argument("--token", default="", help="only of this token's id")
    audit.add_argument("--count", type=int, default=50)
    return parser


async def _do(arguments: argparse.Namespace) -> None:
    settings = load(GatewaySettings, _PROGRAM, [])
    async with opened(settings.data_dir) as database:
        tokens = Tokens(database)
        match arguments.command:
            case "create":
                lifetime = None if arguments.days is None else arguments.days * _DAY_SECONDS
                token, secret = await tokens.create(arguments.name, arguments.scope, lifetime)
                _show({**_row(token), "secret": secret}, arguments.json)
            case "list":
                for token in await tokens.all():
                    _show(_row(token), arguments.json)
            case "revoke":
                await tokens.revoke(arguments.id)
            case "audit":
                deeds = await AuditLog(database).latest(arguments.count, arguments.token)
                for deed in reversed(deeds):
                    _show(_deed(deed), arguments.json)


def _row(token: Token) -> dict[str, str]:
    return {
        "id": token.id,
        "name": token.name,
        "scopes": " ".join(sorted(token.scopes)),
        "created": _time(token.created_at),
        "expires": _time(token.expires_at),
        "revoked": _time(token.revoked_at),
    }


def _deed(deed: Deed) -> dict[str, object]:
    return {**dataclasses.asdict(deed), "at": _time(deed.at)}


def _time(seconds: float | None) -> str:
    if seconds is None:
        return "never"
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")


def _show(row: dict[str, str] | dict[str, object], as_json: bool) -> None:
    line = json.dumps(row) if as_json else "  ".join(str(value) for value in row.values())
    sys.stdout.write(line + "\n")


if __name__ == "__main__":
    main()
