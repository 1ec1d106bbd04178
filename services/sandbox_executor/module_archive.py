"""The modules that guests import most, as one file: an entry of it is read by one system call.

Importing a module is some twelve system calls, and in gVisor those cost more than the module does.
sandbox/boot.py reads the file, and says how it is laid out.
"""

import marshal
import subprocess
import sysconfig
from collections.abc import Sequence
from pathlib import Path

RUNNER = Path(__file__).resolve().parents[2] / "sandbox" / "runner.py"
# What guests import ahead unless the settings say otherwise: what is used often and costs little.
AHEAD = ("collections", "itertools", "math", "re", "string", "typing")
# What is at hand besides.
_USUAL = (
    *("abc", "ast", "base64", "bisect", "calendar", "copy", "csv", "dataclasses", "datetime"),
    *("decimal", "difflib", "enum", "fractions", "functools", "glob", "hashlib", "heapq"),
    *("html", "io", "json", "operator", "os", "pathlib", "pprint", "random", "shutil"),
    *("statistics", "struct", "tempfile", "textwrap", "threading", "traceback", "urllib.parse"),
    *("uuid", "zoneinfo"),
)

_LIST = """
import sys
for name in sys.argv[1:]:
    __import__(name)
for name, module in sys.modules.items():
    source = getattr(getattr(module, "__spec__", None), "origin", None)
    if source and source.endswith(".py"):
        print(name, int(hasattr(module, "__path__")), source)
"""


def build(python: Path, library: str) -> bytes:
    """The archive for guests with that interpreter, which find the library at `library`.

    Raises subprocess.SubprocessError and OSError where the interpreter cannot tell what it imports.
    """
    stdlib = Path(sysconfig.get_path("stdlib"))
    entries = [("__main__", False, "runner.py", _code(RUNNER, "runner.py"))]
    for line in _imported(python, (*_runner_imports(), *AHEAD, *_USUAL)):
        name, package, source = line.split(" ", 2)
        inside = f"{library}/{Path(source).relative_to(stdlib)}"
        entries.append((name, package == "1", inside, _code(Path(source), inside)))
    return _laid_out(entries)


def _code(source: Path, name: str) -> bytes:
    return marshal.dumps(compile(source.read_bytes(), name, "exec", dont_inherit=True))


def _laid_out(entries: Sequence[tuple[str, bool, str, bytes]]) -> bytes:
    places, offset = {}, 0
    for name, package, source, code in entries:
        places[name] = (package, source, offset, len(code))
        offset += len(code)
    index = marshal.dumps(places)
    return len(index).to_bytes(4, "big") + index + b"".join(code for *_, code in entries)


def _runner_imports() -> list[str]:
    lines = RUNNER.read_text("utf-8").splitlines()
    return [line.removeprefix("import ") for line in lines if line.startswith("import ")]


def _imported(python: Path, modules: Sequence[str]) -> list[str]:
    """Name, whether it is a package, and path of all modules with a source of their own."""
    listed = subprocess.run(
        [python, "-I", "-S", "-B", "-c", _LIST, *modules],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    return listed.stdout.splitlines()
