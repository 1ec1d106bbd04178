"""Installs what deploy/locks name, and no file with another hash.

    python -m deploy.locked install dev
    python -m deploy.locked install guest-data --target FOLDER
    python -m deploy.locked select trainer,gpu FOLDER

Packages come with --no-deps, since a lock is complete; `pip check` then says whether it was. A lock
that is followed by one of several has the first whose package is to be had: torch for the CPU where
pip is told of such a build (PIP_FIND_LINKS, PIP_EXTRA_INDEX_URL), else the index's own, which
brings NVIDIA's libraries. `select` copies the locks that an installation may need, so that an image
is built anew for no other one. Standard library only: this runs before anything is installed.
"""

import argparse
import json
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

LOCKS = Path(__file__).resolve().parent / "locks"

_FOLLOWED = re.compile(r"^# Followed by one of: (.+)$", re.MULTILINE)
_PINNED = re.compile(r"^([a-z0-9-]+)==([^\s;]+)", re.MULTILINE)
_PIP = (sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check")


def main() -> None:
    """Runs from the command line; the exit status is pip's."""
    arguments = _parser().parse_args()
    try:
        arguments.run(arguments)
    except subprocess.CalledProcessError as error:
        raise SystemExit(error.returncode) from None


def _parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(
        prog="deploy.locked",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = made.add_subparsers(required=True)
    install = commands.add_parser("install", help="into this Python, or into a folder")
    install.add_argument("--target", type=Path, help="a folder in the place of this Python")
    install.add_argument("--record", type=Path, help="writes which files were installed")
    install.set_defaults(run=_install)
    select = commands.add_parser("select", help="copies locks")
    select.set_defaults(run=_select)
    for command in (install, select):
        command.add_argument("locks", help="their names, as in trainer,gpu")
        command.add_argument("--from", dest="source", type=Path, default=LOCKS)
    select.add_argument("folder", type=Path, help="where to")
    return made


def _install(arguments: argparse.Namespace) -> None:
    names = arguments.locks.split(",")
    names += [_obtainable(choice, arguments.source) for choice in _choices(names, arguments.source)]
    target = ["--target", str(arguments.target), "--upgrade"] if arguments.target else []
    installed = _from([arguments.source / f"{name}.txt" for name in names], target)
    if not target:
        subprocess.run([*_PIP, "check"], check=True)
    if arguments.record:
        arguments.record.write_text(json.dumps(installed, indent=1, sort_keys=True), "utf-8")


def _select(arguments: argparse.Namespace) -> None:
    names = arguments.locks.split(",")
    names += [name for choice in _choices(names, arguments.source) for name in choice]
    arguments.folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        shutil.copy(arguments.source / f"{name}.txt", arguments.folder)


def _choices(names: Sequence[str], source: Path) -> set[tuple[str, ...]]:
    """Locks of which one has to follow; none for a package that one of `names` has already."""
    texts = {name: (source / f"{name}.txt").read_text("utf-8") for name in names}
    found = {
        tuple(choice.split(",")) for text in texts.values() for choice in _FOLLOWED.findall(text)
    }
    pinned = {name for text in texts.values() for name, _ in _PINNED.findall(text)}
    return {choice for choice in found if _first(choice[0], source)[0] not in pinned}


def _obtainable(choice: Sequence[str], source: Path) -> str:
    """The first whose package pip finds; the last is not asked for."""
    for name in choice[:-1]:
        package = "==".join(_first(name, source))
        asked = [*_PIP, "install", "--dry-run", "--no-deps", "--ignore-installed", package]
        if subprocess.run(asked, capture_output=True, check=False).returncode == 0:
            return name
    return choice[-1]


def _first(name: str, source: Path) -> tuple[str, str]:
    """Package and version of a lock's first pin."""
    found = _PINNED.search((source / f"{name}.txt").read_text("utf-8"))
    if found is None:
        raise SystemExit(f"locked: {source / name}.txt names no package")
    return found[1], found[2]


def _from(locks: Sequence[Path], options: Sequence[str]) -> list[dict[str, str]]:
    """Installs, and tells what was: name, version, file and its SHA-256."""
    files = [part for lock in locks for part in ("--requirement", str(lock))]
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.json"
        command = [*_PIP, "install", "--require-hashes", "--no-deps", "--report", str(report)]
        subprocess.run([*command, *options, *files], check=True)
        return list(_files(json.loads(report.read_text("utf-8"))))


def _files(report: dict[str, Any]) -> Iterator[dict[str, str]]:
    for item in report["install"]:
        source = item["download_info"]
        archive = source["archive_info"]
        # Older versions of pip say it in one word.
        digest = archive.get("hashes", {}).get("sha256") or archive["hash"].removeprefix("sha256=")
        yield {
            "name": item["metadata"]["name"],
            "version": item["metadata"]["version"],
            "file": source["url"].rpartition("/")[2],
            "sha256": digest,
        }


if __name__ == "__main__":
    main()
