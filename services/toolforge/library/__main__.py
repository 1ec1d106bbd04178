"""Tools as plain files: export a registry, import one, or import problems like HumanEval's.

    python -m services.toolforge.library export FOLDER
    python -m services.toolforge.library import FOLDER
    python -m services.toolforge.library import-humaneval FILE.jsonl

What is imported goes through the same checks and trial as any owner's code. The exit status is 0
where everything came through, 1 where something was rejected, 2 where nothing could be done.
"""

import argparse
import asyncio
import sys
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import grpc
from batos.toolforge.v1.toolforge_pb2_grpc import ToolForgeServiceStub
from rich.console import Console
from rich.markup import escape
from rich.progress import Progress

from services.toolforge.library.folder import Entry, entry_folders, read_entry
from services.toolforge.library.humaneval import read_problems
from services.toolforge.library.transfer import Became, export_tools, import_tools
from shared.channel import open_channel
from shared.errors import BatosError, InvalidArgument
from shared.rpc_status import from_rpc_error

if TYPE_CHECKING:
    from batos.toolforge.v1.toolforge_pb2_grpc import ToolForgeServiceAsyncStub as Stub


def main() -> None:
    """Runs from the command line."""
    arguments = parser().parse_args()
    console = Console(stderr=True)
    try:
        sys.exit(asyncio.run(run(arguments, console)))
    except grpc.aio.AioRpcError as error:
        console.print(f"[red]{escape(from_rpc_error(error).message)}[/]")
    except BatosError as error:
        console.print(f"[red]{escape(error.message)}[/]")
    except KeyboardInterrupt:
        console.print("stopped; what had come through stays")
    sys.exit(2)


def parser() -> argparse.ArgumentParser:
    """The command line."""
    made = argparse.ArgumentParser(
        prog="python -m services.toolforge.library",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    made.add_argument("command", choices=["export", "import", "import-humaneval"])
    made.add_argument("path", type=Path, help="the folder, or the file of JSON lines")
    made.add_argument("--toolforge", default="127.0.0.1:50053", help="host:port of ToolForge")
    made.add_argument("--tls-dir", type=Path, help="folder with an operator's certificate")
    made.add_argument(
        "--include-retired", action="store_true", help="export also what is out of use"
    )
    return made


async def run(arguments: argparse.Namespace, console: Console) -> int:
    """Does what was asked; the exit status."""
    async with open_channel(arguments.toolforge, arguments.tls_dir) as channel:
        stub = ToolForgeServiceStub(channel)
        if arguments.command == "export":
            return await export(stub, arguments.path, arguments.include_retired, console)
        return await take(stub, arguments, console)


async def export(stub: "Stub", target: Path, include_retired: bool, console: Console) -> int:
    """Writes the folder."""
    done = 0
    with Progress(console=console) as progress:
        task = progress.add_task("exporting", total=None)
        async for done, total in export_tools(stub, target, include_retired):
            progress.update(task, completed=done, total=total)
    console.print(f"{done} tools in {escape(str(target))}")
    return 0


async def take(stub: "Stub", arguments: argparse.Namespace, console: Console) -> int:
    """Registers what can be read, tells the rest."""
    entries: list[Entry] = []
    counts: Counter[str] = Counter()
    for entry in _read(arguments):
        if isinstance(entry, Entry):
            entries.append(entry)
        else:
            counts[Became.REJECTED] += 1
            console.print(f"[red]unreadable[/] {escape(entry.message)}")
    with Progress(console=console) as progress:
        task = progress.add_task("importing", total=len(entries))
        async for name, became, finding in import_tools(stub, entries):
            counts[became] += 1
            progress.advance(task)
            if finding:
                console.print(f"[red]{became}[/] {name}: {escape(finding)}")
    console.print(", ".join(f"{counts[became]} {became}" for became in Became))
    return 1 if counts[Became.REJECTED] else 0


def _read(arguments: argparse.Namespace) -> Iterable[Entry | InvalidArgument]:
    if arguments.command == "import-humaneval":
        yield from read_problems(arguments.path)
        return
    for folder in entry_folders(arguments.path):
        try:
            yield read_entry(folder)
        except InvalidArgument as error:
            yield error


if __name__ == "__main__":
    main()
