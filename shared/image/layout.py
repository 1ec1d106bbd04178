"""Where a service keeps what belongs to images: in `.images` of its data directory."""

import re
import shutil
from pathlib import Path

from shared.errors import InvalidArgument

_IMAGE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_PIECE = re.compile(r"[A-Za-z0-9_.][A-Za-z0-9_.@+=-]{0,199}")
_MOST_PIECES = 12


class Layout:
    """The folders of one data directory."""

    def __init__(self, data_dir: Path) -> None:
        self.root = data_dir / ".images"

    def cut(self, image: str) -> Path:
        """What was pinned for an image that is being made."""
        return self.root / f"cut-{checked_image(image)}"

    def staged(self, image: str) -> Path:
        """What was imported; there only once it is whole."""
        return self.root / f"staged-{checked_image(image)}"

    def arriving(self, image: str) -> Path:
        """What is being imported."""
        return self.root / f"arriving-{checked_image(image)}"

    @property
    def decision(self) -> Path:
        """Names the image to switch to; whoever starts and finds it finishes the switch."""
        return self.root / "switch"

    @property
    def replaced(self) -> Path:
        """What was in use before the switch, until that is done."""
        return self.root / "replaced"

    @property
    def loaded(self) -> Path:
        """Names the image that was switched to last."""
        return self.root / "loaded"

    def loaded_image(self) -> str:
        """The image that was switched to last; "" where there was none."""
        try:
            return self.loaded.read_text(encoding="ascii")
        except FileNotFoundError:
            return ""

    def discard(self, image: str) -> None:
        """Drops whatever is kept for an image that is not being switched to."""
        for folder in (self.cut(image), self.staged(image), self.arriving(image)):
            shutil.rmtree(folder, ignore_errors=True)

    def forget_cuts(self) -> None:
        """Drops what a process before us left half done."""
        for pattern in ("cut-*", "arriving-*"):
            for folder in self.root.glob(pattern):
                shutil.rmtree(folder, ignore_errors=True)


def checked_file_name(name: str) -> Path:
    """A relative path that stays where it is put; InvalidArgument for any other."""
    pieces = name.split("/")
    well_formed = len(pieces) <= _MOST_PIECES and all(_PIECE.fullmatch(p) for p in pieces)
    if not well_formed or any(set(piece) == {"."} for piece in pieces):
        raise InvalidArgument.of_field("file.name", f"{name[:80]!r} is not a relative path")
    return Path(*pieces)


def checked_image(image: str) -> str:
    """An image's id; InvalidArgument for what is none."""
    if not _IMAGE.fullmatch(image):
        raise InvalidArgument.of_field(
            "image", "must be letters, digits, '.', '_' and '-', at most 100"
        )
    return image
