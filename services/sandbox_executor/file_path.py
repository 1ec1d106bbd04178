"""Which paths of files may go into a sandbox, or be believed when they come out of one."""

from pathlib import PurePosixPath

_BYTES = 512
_FOLDERS = 32


def is_inside(path: str) -> bool:
    """Whether it names a file below a working directory, in its one normal form."""
    if not path or path[0] == "/" or "\0" in path or len(path.encode("utf-8", "replace")) > _BYTES:
        return False
    parts = PurePosixPath(path).parts
    return path == "/".join(parts) and ".." not in parts and path != "." and len(parts) <= _FOLDERS


def is_pattern_inside(pattern: str) -> bool:
    """Whether a glob pattern can only match below a working directory."""
    parts = pattern.split("/")
    return (
        bool(pattern)
        and "\0" not in pattern
        and len(pattern.encode("utf-8", "replace")) <= _BYTES
        and not pattern.startswith("/")
        and ".." not in parts
        and parts.count("**") <= 1
    )
