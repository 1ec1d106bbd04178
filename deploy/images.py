"""Living Images from the command line.

    python -m deploy.images save --note "before the holidays"
    python -m deploy.images list
    python -m deploy.images verify IMAGE
    python -m deploy.images load IMAGE
    python -m deploy.images delete IMAGE

The Supervisor keeps the images and does the work; this asks it to, and shows how far it is. What
was asked for twice by the same --request-id is done once. The exit status is 0 where it was done,
2 where it could not be.
"""

import argparse
import asyncio
import json
import os
import sys
import uuid
from collections.abc import AsyncIterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import grpc
from batos.supervisor.v1 import supervisor_pb2 as pb
from batos.supervisor.v1.supervisor_pb2_grpc import SupervisorServiceStub
from google.protobuf.json_format import MessageToDict
from google.protobuf.message import Message
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn
from rich.table import Table

from shared.channel import open_channel
from shared.errors import BatosError
from shared.rpc_status import from_rpc_error

if TYPE_CHECKING:
    from batos.supervisor.v1.supervisor_pb2_grpc import SupervisorServiceAsyncStub as Stub

_LISTED = 500


def main() -> None:
    """Runs from the command line."""
    arguments = parser().parse_args()
    console = Console(stderr=True)
    try:
        asyncio.run(run(arguments, console))
    except grpc.aio.AioRpcError as error:
        _refused(console, from_rpc_error(error))
    except BatosError as error:
        _refused(console, error)
    except KeyboardInterrupt:
        console.print("no longer waiting; `list` tells what became of it")
        sys.exit(130)


def _refused(console: Console, error: BatosError) -> None:
    console.print(f"[red]{escape(error.message)}[/]")
    sys.exit(2)


def parser() -> argparse.ArgumentParser:
    """The command line."""
    every = argparse.ArgumentParser(add_help=False)
    every.add_argument(
        "--supervisor",
        default=os.environ.get("BATOS_SUPERVISOR_ADDRESS", "127.0.0.1:50055"),
        help="its host:port; now %(default)s",
    )
    every.add_argument(
        "--tls-dir",
        type=Path,
        default=os.environ.get("BATOS_TLS_DIR") or None,
        help="folder with an operator's certificate; else BATOS_TLS_DIR, else no TLS",
    )
    every.add_argument("--json", action="store_true", help="the answer as JSON, one line")
    once = argparse.ArgumentParser(add_help=False)
    once.add_argument("--request-id", default=str(uuid.uuid4()), help="a UUID of your own")
    named = argparse.ArgumentParser(add_help=False)
    named.add_argument("image", help="its name as `list` shows it, with or without images/")
    made = argparse.ArgumentParser(
        prog="python -m deploy.images",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = made.add_subparsers(dest="command", required=True)
    save = commands.add_parser("save", parents=[every, once], help="make an image of everything")
    save.add_argument("--note", default="", help="what to remember of it")
    load = commands.add_parser("load", parents=[every, once, named], help="put everything back")
    load.add_argument(
        "--discard-current", action="store_true", help="do not save what there is now first"
    )
    commands.add_parser("list", parents=[every], help="the images, newest first")
    commands.add_parser("verify", parents=[every, named], help="read one whole")
    commands.add_parser("delete", parents=[every, once, named], help="remove one")
    return made


async def run(arguments: argparse.Namespace, console: Console) -> None:
    """Does what was asked, and prints the answer."""
    async with open_channel(arguments.supervisor, arguments.tls_dir) as channel:
        answer = await _COMMANDS[arguments.command](SupervisorServiceStub(channel), arguments)
    if arguments.json:
        print(json.dumps(MessageToDict(answer, preserving_proto_field_name=True)))
    else:
        _show(answer, console)


async def save(stub: "Stub", arguments: argparse.Namespace) -> Message:
    """The image."""
    request = pb.SaveImageRequest(request_id=arguments.request_id, note=arguments.note)
    image: pb.Image = (await _followed(stub.SaveImage(request))).image
    return image


async def load(stub: "Stub", arguments: argparse.Namespace) -> Message:
    """What was loaded."""
    request = pb.LoadImageRequest(
        request_id=arguments.request_id,
        name=_name(arguments),
        discard_current=arguments.discard_current,
    )
    loaded: pb.LoadedImage = (await _followed(stub.LoadImage(request))).loaded
    return loaded


async def list_images(stub: "Stub", arguments: argparse.Namespace) -> Message:
    """All of them."""
    every, token = pb.ListImagesResponse(), ""
    while True:
        page = await stub.ListImages(pb.ListImagesRequest(page_size=_LISTED, page_token=token))
        every.images.extend(page.images)
        token = page.next_page_token
        if not token:
            return every


async def verify(stub: "Stub", arguments: argparse.Namespace) -> Message:
    """The image, which is whole."""
    return (await stub.VerifyImage(pb.VerifyImageRequest(name=_name(arguments)))).image


async def delete(stub: "Stub", arguments: argparse.Namespace) -> Message:
    """Nothing more to tell."""
    request = pb.DeleteImageRequest(request_id=arguments.request_id, name=_name(arguments))
    return await stub.DeleteImage(request)


_COMMANDS = {
    "save": save,
    "load": load,
    "list": list_images,
    "verify": verify,
    "delete": delete,
}


def _name(arguments: argparse.Namespace) -> str:
    return f"images/{arguments.image.removeprefix('images/')}"


async def _followed(events: AsyncIterable[Any]) -> Any:
    """The last event; those before it move a bar."""
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn())
    with Progress(*columns, TransferSpeedColumn(), console=Console(stderr=True)) as bars:
        bar = bars.add_task("asking", total=None)
        async for event in events:
            if event.WhichOneof("event") == "progress":
                step = event.progress
                bars.update(
                    bar,
                    description=f"{step.phase} {step.service}".strip(),
                    completed=step.done_bytes,
                    total=step.total_bytes or None,
                )
    return event


def _show(answer: Message, console: Console) -> None:
    if isinstance(answer, pb.LoadedImage):
        _table([answer.image])
        if answer.HasField("previous"):
            console.print(f"what there was before is {answer.previous.name}")
        for model in answer.missing_models:
            console.print(f"[yellow]pull or create {escape(model.tag)} in the model backend[/]")
    elif isinstance(answer, pb.ListImagesResponse):
        _table(answer.images)
    elif isinstance(answer, pb.Image):
        _table([answer])
    else:
        console.print("done")


def _table(images: Any) -> None:
    table = Table("image", "made", "MB", "parts", "models", "note")
    for image in images:
        table.add_row(
            image.name.removeprefix("images/"),
            image.created_at.ToDatetime().isoformat(" ", "seconds") + " UTC",
            f"{image.size_bytes / 1e6:.1f}",
            ", ".join(sorted(part.service for part in image.parts)),
            str(len(image.models)),
            escape(image.note),
        )
    Console().print(table)


if __name__ == "__main__":
    main()
