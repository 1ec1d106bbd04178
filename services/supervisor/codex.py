"""The Codex: the file that says which personas there are. It is taken whole or not at all."""

import re
import tomllib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from services.supervisor.persona import TOOL_LIMIT, ModelPointer, Persona
from shared.errors import FailedPrecondition

_Name = Annotated[str, StringConstraints(pattern=r"^[A-Z][A-Z0-9_]{0,31}$")]
_Tag = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._/:-]{0,199}$")]


class _Options(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    num_ctx: int | None = Field(None, ge=256, le=1 << 20)
    num_predict: int | None = Field(None, ge=1, le=1 << 16)
    temperature: float | None = Field(None, ge=0, le=5)
    top_k: int | None = Field(None, ge=1, le=1000)
    top_p: float | None = Field(None, gt=0, le=1)
    min_p: float | None = Field(None, ge=0, le=1)
    repeat_penalty: float | None = Field(None, gt=0, le=5)


class _Entry(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    system_prompt: str = Field(min_length=1, max_length=4000, pattern=r"\S")
    model: _Tag
    base_model: _Tag
    toolsmith: bool = False
    options: _Options | None = None
    tools: int = Field(TOOL_LIMIT, ge=0, le=16)


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    personas: dict[_Name, _Entry] = Field(min_length=1)


class Codex:
    """All personas by name, each with the pointer that it starts with."""

    def __init__(self, personas: Sequence[Persona]) -> None:
        self.personas = {p.name: p for p in sorted(personas, key=lambda p: p.name)}
        (self.toolsmith,) = (p.name for p in personas if p.toolsmith)


def read(path: Path) -> Codex:
    """The Codex in a TOML file.

    Raises FailedPrecondition (CODEX_INVALID) that lists every fault with its line and field.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise _refused(path, [f"cannot be read: {error}"]) from None
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise _refused(path, [str(error)]) from None
    try:
        entries = _File.model_validate(table).personas
    except ValidationError as error:
        raise _refused(path, list(_faults(text, error))) from None
    smiths = [name for name, entry in entries.items() if entry.toolsmith]
    if len(smiths) != 1:
        named = ", ".join(smiths) or "none"
        raise _refused(path, [f"exactly one persona must have toolsmith = true; found {named}"])
    return Codex([_persona(name, entry) for name, entry in entries.items()])


def _persona(name: str, entry: _Entry) -> Persona:
    return Persona(
        name=name,
        system_prompt=entry.system_prompt,
        base_model=entry.base_model,
        toolsmith=entry.toolsmith,
        model=ModelPointer(entry.model),
        options=entry.options.model_dump(exclude_none=True) if entry.options else {},
        tool_limit=entry.tools,
    )


def _refused(path: Path, faults: Sequence[str]) -> FailedPrecondition:
    listed = "; ".join(faults)
    return FailedPrecondition(f"the Codex {path} is not valid: {listed}", reason="CODEX_INVALID")


def _faults(text: str, error: ValidationError) -> Iterator[str]:
    for fault in error.errors():
        field = [str(part) for part in fault["loc"] if part != "[key]"]
        line = _line(text, field)
        where = f"line {line}, " if line else ""
        yield f"{where}{'.'.join(field)}: {fault['msg']} (got {_shown(fault.get('input'))})"


def _shown(value: Any) -> str:
    return repr(value)[:80]


def _line(text: str, field: Sequence[str]) -> int:
    """The line of a field, else that of its table; 0 where neither is written out."""
    table, key = ".".join(field[:2]), "".join(field[2:3])
    found, inside = 0, False
    for number, line in enumerate(text.splitlines(), start=1):
        if header := re.match(r"\s*\[\s*([^\]]+?)\s*\]", line):
            inside = header[1].replace('"', "").replace(" ", "") == table
            found = number if inside else found
        elif inside and key and re.match(rf'\s*"?{re.escape(key)}"?\s*=', line):
            return number
        elif not found and re.match(rf"\s*{re.escape(field[0])}\s*=", line):
            found = number
    return found
