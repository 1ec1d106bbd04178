"""The source must parse."""

import ast

from services.toolforge.checks.module import Flaw

MAX_SOURCE_BYTES = 65536


def parse(source: str) -> ast.Module | Flaw:
    """The tree of a source of at most 64 KiB, or why there is none."""
    if not source.strip():
        return Flaw(1, "no function found")
    try:
        if len(source.encode()) > MAX_SOURCE_BYTES:
            return Flaw(1, f"longer than {MAX_SOURCE_BYTES} bytes")
        return ast.parse(source)
    except SyntaxError as error:
        return Flaw(error.lineno or 1, error.msg)
    except (RecursionError, MemoryError):
        return Flaw(1, "nested too deeply")
    except ValueError as error:  # a NUL character, a lone surrogate
        return Flaw(1, str(error))
