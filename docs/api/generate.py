"""Writes the reference of all services from their .proto files: python docs/api/generate.py [DIR]

One Markdown page per package, and README.md with every method in one table. Comments come from the
contracts, deadlines and callers from the tables that the services themselves obey.
"""

import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

from google.protobuf.descriptor_pb2 import (
    DescriptorProto,
    EnumDescriptorProto,
    FieldDescriptorProto,
    FileDescriptorProto,
    FileDescriptorSet,
    MethodDescriptorProto,
)

from shared.allowed_callers import callers_of
from shared.channel import MESSAGE_LIMIT_BYTES
from shared.deadlines import seconds_for

ROOT = Path(__file__).resolve().parents[2]
# Numbers of the fields that make up a path into a FileDescriptorProto (descriptor.proto).
_MESSAGES, _ENUMS, _SERVICES, _MEMBERS = 4, 5, 6, 2

Place = tuple[int, ...]


class Page:
    """One package; `comments` maps a place in the file to what stands over it."""

    def __init__(self, file: FileDescriptorProto) -> None:
        self.file = file
        self.name = Path(file.name).stem
        self.comments: Mapping[Place, str] = {
            tuple(location.path): location.leading_comments.strip()
            for location in file.source_code_info.location
        }
        (self.service,) = file.service

    def text(self) -> str:
        """The whole page."""
        return "\n".join(self._lines()) + "\n"

    def rows(self, link: str = "") -> Iterator[str]:
        """A table row for each method."""
        for number, method in enumerate(self.service.method):
            path = f"/{self.file.package}.{self.service.name}/{method.name}"
            seconds = seconds_for(path)
            yield (
                f"| [{method.name}]({link}#{method.name.lower()}) | {_kind(method)} "
                f"| {f'{seconds:g} s' if seconds else 'none'} "
                f"| {'yes' if self._is_mutation(method) else ''} "
                f"| {', '.join(sorted(callers_of(path)))} "
                f"| {self._first_sentence((_SERVICES, 0, _MEMBERS, number))} |"
            )

    def _lines(self) -> Iterator[str]:
        yield f"# `{self.file.package}`"
        yield ""
        yield self._comment((_SERVICES, 0))
        yield ""
        yield from (HEAD, RULE, *self.rows())
        for number, method in enumerate(self.service.method):
            yield from self._method(number, method)
        yield from ("", "## Messages")
        for number, message in enumerate(self.file.message_type):
            yield from self._message((_MESSAGES, number), message)
        yield from ("", "## Enums") if self.file.enum_type else ()
        for number, enum in enumerate(self.file.enum_type):
            yield from self._enum((_ENUMS, number), enum)

    def _method(self, number: int, method: MethodDescriptorProto) -> Iterator[str]:
        request, response = (_link(name) for name in (method.input_type, method.output_type))
        stream = (
            "stream " if each else "" for each in (method.client_streaming, method.server_streaming)
        )
        yield from ("", f"## {method.name}", "")
        yield f"{next(stream)}{request} → {next(stream)}{response}"
        yield from ("", self._comment((_SERVICES, 0, _MEMBERS, number)))

    def _message(self, path: Place, message: DescriptorProto) -> Iterator[str]:
        yield from ("", f"### {message.name}", "", self._comment(path))
        if message.field:
            yield from ("", "| field | type | number | |", "|---|---|---|---|")
        for number, field in enumerate(message.field):
            comment = _cell(self._comment((*path, _MEMBERS, number)))
            yield f"| `{field.name}` | {_type(message, field)} | {field.number} | {comment} |"

    def _enum(self, path: Place, enum: EnumDescriptorProto) -> Iterator[str]:
        yield from ("", f"### {enum.name}", "", self._comment(path))
        yield from ("", "| value | number | |", "|---|---|---|")
        for number, value in enumerate(enum.value):
            comment = self._comment((*path, _MEMBERS, number))
            yield f"| `{value.name}` | {value.number} | {_cell(comment)} |"

    def _comment(self, path: Place) -> str:
        return " ".join(line.strip() for line in self.comments.get(path, "").splitlines())

    def _first_sentence(self, path: Place) -> str:
        sentence, dot, _ = self._comment(path).partition(". ")
        return _cell(sentence + dot.strip())

    def _is_mutation(self, method: MethodDescriptorProto) -> bool:
        messages = {message.name: message for message in self.file.message_type}
        request = messages[method.input_type.rpartition(".")[2]]
        return any(field.name == "request_id" for field in request.field)


INTRODUCTION = """# The services' contracts

Made from the `.proto` files by `make protos`. Errors are `google.rpc.Status` with an `ErrorInfo` of
domain `batos`; for bad input a `BadRequest` names the fields, for overload a `RetryInfo` the wait.
A message has at most {most} MiB. A request id is a UUID chosen by the caller: the same one with the
same request gets the first answer for 24 hours, with another request `INVALID_ARGUMENT`
(`REQUEST_ID_REUSED`). Callers are the names in certificates; on loopback without TLS anybody may
call."""

HEAD = "| method | kind | deadline | takes a request id | callers | |"
RULE = "|---|---|---|---|---|---|"


def _kind(method: MethodDescriptorProto) -> str:
    if method.client_streaming:
        return "bidirectional" if method.server_streaming else "client stream"
    return "server stream" if method.server_streaming else "unary"


def _type(message: DescriptorProto, field: FieldDescriptorProto) -> str:
    entries = {f".{nested.name}": nested for nested in message.nested_type}
    for suffix, entry in entries.items():
        if field.type_name.endswith(suffix):
            key, value = (_plain(each) for each in entry.field)
            return f"map of {key} to {value}"
    prefix = "repeated " if field.label == FieldDescriptorProto.LABEL_REPEATED else ""
    group = ""
    if field.HasField("oneof_index"):
        group = f", one of `{message.oneof_decl[field.oneof_index].name}`"
    return f"{prefix}{_plain(field)}{group}"


def _plain(field: FieldDescriptorProto) -> str:
    if field.type_name:
        return _link(field.type_name)
    return FieldDescriptorProto.Type.Name(field.type).removeprefix("TYPE_").lower()


def _link(type_name: str) -> str:
    name = type_name.rpartition(".")[2]
    return f"[{name}](#{name.lower()})" if ".batos." in type_name else f"`{type_name[1:]}`"


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("<", "&lt;")


def described() -> list[Page]:
    """All packages, as protoc reads them."""
    with tempfile.TemporaryDirectory() as directory:
        target = Path(directory) / "set"
        protos = sorted(
            str(p.relative_to(ROOT / "protos")) for p in ROOT.glob("protos/batos/*/*/*.proto")
        )
        command = [
            sys.executable,
            "-m",
            "grpc_tools.protoc",
            "--proto_path=.",
            "--include_source_info",
        ]
        subprocess.run(
            [*command, f"--descriptor_set_out={target}", *protos], cwd=ROOT / "protos", check=True
        )
        files = FileDescriptorSet.FromString(target.read_bytes()).file
    return [Page(file) for file in files]


def index(pages: list[Page]) -> str:
    """README.md."""
    lines = [INTRODUCTION.format(most=MESSAGE_LIMIT_BYTES >> 20)]
    for page in pages:
        lines += ["", f"## [{page.service.name}]({page.name}.md)", "", HEAD, RULE]
        lines += page.rows(f"{page.name}.md")
    return "\n".join(lines) + "\n"


def main() -> None:
    """Writes the pages into the given directory, or beside this file."""
    target = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent
    pages = described()
    for page in pages:
        (target / f"{page.name}.md").write_text(page.text(), "utf-8")
    (target / "README.md").write_text(index(pages), "utf-8")


if __name__ == "__main__":
    main()
