"""Switching to an imported image: decided while serving, done by the next start.

A decision is one small file. Whoever starts in a directory with a decision finishes it before
opening anything, as often as it takes: so a crash at any point ends in the old state or the new
one, never between. All memory of a process is of its old state, which is why it starts anew.
"""

import shutil
from collections.abc import Callable, Iterable
from pathlib import Path

import structlog

from shared.durable import sync, write_durably
from shared.errors import FailedPrecondition
from shared.image.layout import Layout

# Of a SQLite database in WAL mode.
_COMPANIONS = ("", "-wal", "-shm")
_MOVED_OUT = "\n"  # ends a decision whose old files are all out of the way

Reconcile = Callable[[Path, Path], None]

_log = structlog.get_logger()


def decide(data_dir: Path, image: str) -> None:
    """Makes the switch certain; FailedPrecondition where nothing was imported for the image."""
    layout = Layout(data_dir)
    if image in (layout.loaded_image(), _decided(layout).rstrip(_MOVED_OUT)):
        return
    if not layout.staged(image).is_dir():
        raise FailedPrecondition(f"{image} was not imported here", reason="NOT_IMPORTED")
    write_durably(layout.decision, image)


def finish(
    data_dir: Path,
    databases: Iterable[str],
    folders: Iterable[str] = (),
    reconcile: Reconcile | None = None,
) -> None:
    """Does what was decided, if anything was; called before anything in the directory is opened.

    `reconcile(live, staged)` first gives the staged files what must outlive the old ones.
    """
    layout = Layout(data_dir)
    layout.forget_cuts()
    decision = _decided(layout)
    if not decision:
        return
    image = decision.rstrip(_MOVED_OUT)
    staged = layout.staged(image)
    if not decision.endswith(_MOVED_OUT):
        if reconcile is not None:
            reconcile(data_dir, staged)
        names = [name + more for name in databases for more in _COMPANIONS]
        _move([*names, *folders], data_dir, layout.replaced)
        write_durably(layout.decision, image + _MOVED_OUT)
    _move([path.name for path in staged.iterdir()] if staged.is_dir() else [], staged, data_dir)
    write_durably(layout.loaded, image)
    layout.decision.unlink()
    sync(layout.root)
    shutil.rmtree(staged, ignore_errors=True)
    shutil.rmtree(layout.replaced, ignore_errors=True)
    _log.info("switched to an image", image=image)


def _decided(layout: Layout) -> str:
    try:
        return layout.decision.read_text(encoding="ascii")
    except FileNotFoundError:
        return ""


def _move(names: Iterable[str], source: Path, target: Path) -> None:
    target.mkdir(parents=True, exist_ok=True)
    for name in names:
        if (source / name).exists():
            (source / name).rename(target / name)
    for folder in (source, target):
        sync(folder)
