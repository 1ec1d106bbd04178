"""Authorities and identities as the tests need them: ours, a stranger's, one that has expired."""

from datetime import timedelta
from pathlib import Path

from deploy.identity.authority import Authority, place

DAY = timedelta(days=1)


class Certificates:
    """A root of identities under an authority of its own."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.authority = Authority.opened(root / "authority")

    def of(self, name: str, lifetime: timedelta = DAY, directory: str = "") -> Path:
        """A fresh identity, as a directory for BATOS_TLS_DIR."""
        path = self.root / (directory or name)
        place(self.authority, path, name, lifetime)
        return path
