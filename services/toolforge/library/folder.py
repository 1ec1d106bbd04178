"""The layout of a library: a folder per tool, made for people to read and review.

    NAME/tool.py         the source
    NAME/spec.json       description, examples, tolerance: what it must do
    NAME/assertions.py   the owner's own tests, where there are some
    NAME/schema.json     JSON Schema of its arguments; made from the source, not read back
    NAME/record.json     version, state, lineage, evidence, usage; for people, but for the state

What comes in goes through checks and trial like any owner's code: a record proves nothing.
"""

import json
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from batos.toolforge.v1 import toolforge_pb2 as pb
from google.protobuf.json_format import MessageToDict

from shared.errors import InvalidArgument

MAX_FILE_BYTES = 1 << 20


@dataclass(frozen=True)
class Entry:
    """One tool of a library; `retired` is why it was out of use, None where it was not."""

    name: str
    source: str
    spec: pb.Spec
    assertions: str = ""
    retired: str | None = None


def begin(target: Path) -> Path:
    """A fresh folder beside `target`, to be renamed to it once it is whole.

    Raises InvalidArgument where `target` is there already.
    """
    if target.exists():
        raise InvalidArgument(f"{target} is there already; name a folder that is not")
    partial = target.with_name(f"{target.name}.{uuid.uuid4().hex}.partial")
    partial.mkdir(parents=True)
    return partial


def write_entry(root: Path, found: pb.GetToolResponse) -> None:
    """Writes one tool under `root`."""
    tool = found.tool
    folder = root / tool.spec.name
    folder.mkdir(parents=True)
    (folder / "tool.py").write_text(tool.source, encoding="utf-8")
    _write_json(folder / "spec.json", _spec_table(tool.spec))
    _write_json(folder / "schema.json", json.loads(tool.schema_json))
    _write_json(folder / "record.json", _record(found))
    if tool.assertions:
        (folder / "assertions.py").write_text(tool.assertions, encoding="utf-8")


def entry_folders(root: Path) -> Sequence[Path]:
    """Folders that hold a tool, by name; raises InvalidArgument where there are none."""
    found = sorted(path.parent for path in root.glob("*/tool.py"))
    if not found:
        raise InvalidArgument(f"{root} holds no tools: nothing like NAME/tool.py is there")
    return found


def read_entry(folder: Path) -> Entry:
    """One tool; raises InvalidArgument that names the file which is not as it should be."""
    table = _table(folder / "spec.json")
    record = _table(folder / "record.json") if (folder / "record.json").exists() else {}
    assertions = folder / "assertions.py"
    try:
        spec = pb.Spec(
            name=folder.name,
            description=table["description"],
            examples=[
                pb.Example(
                    arguments_json=json.dumps(row["arguments"]),
                    result_json=json.dumps(row["result"]),
                )
                for row in table["examples"]
            ],
        )
        if "tolerance" in table:
            spec.tolerance.CopyFrom(pb.Tolerance(**table["tolerance"]))
    except (KeyError, TypeError, ValueError) as error:
        raise InvalidArgument(f"{folder / 'spec.json'}: {error!r}") from None
    return Entry(
        name=folder.name,
        source=_text(folder / "tool.py"),
        spec=spec,
        assertions=_text(assertions) if assertions.exists() else "",
        retired=str(record.get("stateReason", "")) if _is_retired(record) else None,
    )


def _spec_table(spec: pb.Spec) -> dict[str, Any]:
    table: dict[str, Any] = {
        "description": spec.description,
        "examples": [
            {"arguments": json.loads(e.arguments_json), "result": json.loads(e.result_json)}
            for e in spec.examples
        ],
    }
    if spec.HasField("tolerance"):
        table["tolerance"] = MessageToDict(spec.tolerance)
    return table


def _record(found: pb.GetToolResponse) -> dict[str, Any]:
    tool = MessageToDict(found.tool)
    kept = ("version", "origin", "createdAt", "state", "stateReason", "lineage")
    return {
        **{key: tool[key] for key in kept if key in tool},
        "evidence": [MessageToDict(each) for each in found.evidence],
        "usage": MessageToDict(found.usage),
    }


def _is_retired(record: dict[str, Any]) -> bool:
    return record.get("state") == pb.ToolState.Name(pb.TOOL_STATE_RETIRED)


def _write_json(path: Path, value: object) -> None:
    path.write_text(json.dumps(value, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def _table(path: Path) -> dict[str, Any]:
    try:
        table = json.loads(_text(path))
    except (ValueError, RecursionError) as error:
        raise InvalidArgument(f"{path} is not JSON: {error}") from None
    if not isinstance(table, dict):
        raise InvalidArgument(f"{path} must hold a JSON object")
    return table


def _text(path: Path) -> str:
    try:
        if path.stat().st_size > MAX_FILE_BYTES:
            raise InvalidArgument(f"{path} is larger than {MAX_FILE_BYTES} bytes")
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidArgument(f"{path} cannot be read: {error}") from None
