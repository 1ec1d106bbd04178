"""The guest's first words: modules come out of one file, and then the runner takes over.

It runs inside the sandbox as `python -I -S -c <this text> MODULE…`. The file, which
services/sandbox_executor/module_archive.py writes, holds much of the library as compiled code: the
usual dozen system calls for each module cost more in here than running it does. What the file lacks
is imported as ever.

Layout: four bytes of length (big endian), then that many bytes of index, {name: (is a package, path
of its source, offset, size)}, then the code, where the offsets begin. Index and code are in the
format of `marshal`.
"""

from __future__ import annotations

import _frozen_importlib
import marshal
import posix
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    import types

ARCHIVE = "/python/modules"


def read(offset: int, size: int) -> bytes:
    """Part of the archive. It is not kept open: user code may close what it did not open."""
    descriptor = posix.open(ARCHIVE, posix.O_RDONLY | posix.O_CLOEXEC)
    try:
        return posix.pread(descriptor, size, offset)
    finally:
        posix.close(descriptor)


_size = int.from_bytes(read(0, 4), "big")
_index = marshal.loads(read(4, _size))  # noqa: S302 - it lies in the read-only image


class Archived:
    """Finder and loader of the modules in the archive (see importlib.abc)."""

    @staticmethod
    def find_spec(
        name: str, path: object = None, target: object = None
    ) -> _frozen_importlib.ModuleSpec | None:
        """The spec of an archived module, None for any other."""
        if name not in _index:
            return None
        package, source, _, _ = _index[name]
        spec = _frozen_importlib.ModuleSpec(name, Archived, origin=source, is_package=package)  # type: ignore[arg-type]  # static methods do
        if spec.submodule_search_locations is not None:
            spec.submodule_search_locations.append(source.rpartition("/")[0])
        spec.has_location = True
        return spec

    @staticmethod
    def create_module(spec: _frozen_importlib.ModuleSpec) -> None:
        """None: the usual kind of module will do."""

    @staticmethod
    def exec_module(module: object) -> None:
        """Runs the module's code."""
        names = module.__dict__
        exec(code(names["__name__"]), names)  # noqa: S102


def code(name: str) -> types.CodeType:
    """The code of an archived module."""
    _, _, offset, size = _index[name]
    unpacked: types.CodeType = marshal.loads(read(4 + _size + offset, size))  # noqa: S302
    return unpacked


sys.meta_path.insert(0, Archived)
exec(code("__main__"), {"__name__": "__main__"})  # noqa: S102
