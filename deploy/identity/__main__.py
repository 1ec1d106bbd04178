"""Makes and renews the certificates by which the services know each other.

    python -m deploy.identity issue --root DIR NAME...
    python -m deploy.identity watch --root DIR NAME...

DIR/authority holds the authority and its key: keep it from the services. DIR/NAME holds what one
service may see, for its BATOS_TLS_DIR. What is there and young enough is kept. `watch` goes on,
and renews each identity after two thirds of its life, until it is told to stop.
"""

import argparse
import re
import signal
import sys
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

from deploy.identity.authority import Authority, place, renewal_of

_LONGEST_SLEEP_SECONDS = 3600.0


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="python -m deploy.identity",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("command", choices=["issue", "watch"])
    parser.add_argument("--root", type=Path, required=True, help="directory of all identities")
    parser.add_argument("--days", type=float, default=30.0, help="lifetime of an identity [30]")
    parser.add_argument(
        "names", nargs="+", type=a_name, metavar="NAME", help="such as memory or operator"
    )
    return parser.parse_args()


def a_name(text: str) -> str:
    """A name that is fit for a folder, a DNS name and a URI."""
    if not re.fullmatch(r"[a-z][a-z0-9-]{0,62}", text) or text == "authority":
        raise argparse.ArgumentTypeError(f"{text!r} must be lower-case letters, digits and hyphens")
    return text


def renew(root: Path, names: list[str], lifetime: timedelta) -> datetime:
    """Issues what is missing or old; when to look again."""
    authority = Authority.opened(root / "authority")
    for name in names:
        if renewal_of(root / name, authority) <= datetime.now(UTC):
            place(authority, root / name, name, lifetime)
            print(f"issued {name}, for {lifetime}", flush=True)
    return min(renewal_of(root / name, authority) for name in names)


def watch(root: Path, names: list[str], lifetime: timedelta) -> None:
    """Renews until SIGTERM or Ctrl-C."""
    told_to_stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: told_to_stop.set())
    seconds = 0.0
    while not told_to_stop.wait(seconds):
        left = (renew(root, names, lifetime) - datetime.now(UTC)).total_seconds()
        seconds = min(max(left, 0.5), _LONGEST_SLEEP_SECONDS)


def main() -> int:
    """Runs the command."""
    options = arguments()
    action = watch if options.command == "watch" else renew
    try:
        action(options.root, options.names, timedelta(days=options.days))
    except (OSError, ValueError) as error:
        sys.stderr.write(f"identity: {error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
