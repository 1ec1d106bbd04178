"""The outermost layer of a service process: errors become a sentence and an exit status."""

import asyncio
import sys
from collections.abc import Coroutine
from typing import Any

from shared.errors import BatosError


def run(program: str, main: Coroutine[Any, Any, None]) -> None:
    """Runs a service; a typed error at start is one line on stderr and exit status 1."""
    try:
        asyncio.run(main)
    except BatosError as error:
        sys.stderr.write(f"{program}: {error.message} ({error.reason})\n")
        raise SystemExit(1) from None
    except KeyboardInterrupt:
        raise SystemExit(130) from None
