"""Writes a bill per built image: `python -m deploy.sbom FOLDER`, which is `make sbom`."""

import argparse
from pathlib import Path

from deploy.sbom.bill import bill
from deploy.sbom.image import NAMES, ImageError, examine


def main() -> None:
    """Writes FOLDER/<image>.cdx.json for every image, and says how much is in each."""
    parser = argparse.ArgumentParser(prog="python -m deploy.sbom", description=__doc__)
    parser.add_argument("folder", type=Path)
    folder: Path = parser.parse_args().folder
    folder.mkdir(parents=True, exist_ok=True)
    for name in NAMES:
        try:
            image = examine(name)
        except ImageError as error:
            raise SystemExit(f"sbom: {error}\nbuild the images first: make up") from None
        (folder / f"{name}.cdx.json").write_text(bill(image), "utf-8")
        python, debian = image.inventory["python"], image.inventory["debian"]
        print(f"sbom: {name}: {len(python)} Python packages, {len(debian)} of Debian's")


if __name__ == "__main__":
    main()
