"""What a service says about itself so that it can be cut into an image and restored from one."""

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path

from shared.sqlite import Database


@dataclass(frozen=True, slots=True)
class Model:
    """A model as its server lists it."""

    tag: str
    digest: str


async def _nothing_to_do(staged: Path) -> Sequence[Model]:
    return ()


async def _nothing_to_note(image: str, cut: Path) -> None:
    """This part keeps no account of what images hold."""


async def _nothing_to_retain(images: Sequence[str]) -> None:
    """This part keeps no account of images."""


def _no_trees(model_tags: Sequence[str]) -> Iterable[tuple[str, Path]]:
    return ()


@dataclass(frozen=True, slots=True)
class Part:
    """`databases` by file name in `data_dir`; `folders` there that belong to the state as well.

    `quiet` holds all writes for the time of its context. `trees` names further files to export, as
    (relative folder, folder on disk), whose files never change once they are there. `prepare` does
    what an imported part needs before it can be switched to, with no effect on what is in use.
    `note` is told of each image and its cut before that is exported, `retain` which images there
    are.
    """

    data_dir: Path
    databases: Mapping[str, Database]
    quiet: Callable[[], AbstractAsyncContextManager[None]]
    folders: tuple[str, ...] = ()
    trees: Callable[[Sequence[str]], Iterable[tuple[str, Path]]] = _no_trees
    prepare: Callable[[Path], Awaitable[Sequence[Model]]] = _nothing_to_do
    note: Callable[[str, Path], Awaitable[None]] = _nothing_to_note
    retain: Callable[[Sequence[str]], Awaitable[None]] = _nothing_to_retain

    @property
    def schema(self) -> int:
        """The version of the files' layout."""
        return sum(database.schema for database in self.databases.values())
