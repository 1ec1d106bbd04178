"""All the ways to spoil a good message, field by field, read off its descriptor."""

import math
from collections.abc import Callable, Iterator
from typing import Any

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message

HOSTILE = (
    "",
    " ",
    "' OR '1'='1'; DROP TABLE turns; --",
    "../../../../etc/passwd",
    "somas/../somas/x",
    "\x00",
    "a\x00b\x1b[31m\x07",
    "\u202egnp.exe\u200b\ufeff",
    "𝕏🦇" * 50,
    "x" * 100_000,
    "[" * 50_000,
    '{"a": NaN, "a": 1e999}',
    "${jndi:ldap://x}{{7*7}}%s%n",
)
NUMBERS = (-1, 0, 1 << 31, -(1 << 31), (1 << 63) - 1, -(1 << 63))
FLOATS = (math.nan, math.inf, -math.inf, -1.0, 1e308)
MOMENTS = ((-(10**12), 0), (10**15, 0), (1, -1), (1, 2_000_000_000), ((1 << 63) - 1, 999_999_999))
MANY = 3000
DEEPEST = 4

Spoil = Callable[[Message], None]


def spoiled(message: Message, path: str = "", depth: int = 0) -> Iterator[tuple[str, Spoil]]:
    """(name, function that spoils one field of such a message); the name begins with the field."""
    for field in message.DESCRIPTOR.fields:
        name = f"{path}{field.name}"
        if field.name == "request_id":
            continue  # has tests of its own
        if _is_map(field):
            yield from _spoiled_map(field, name)
        elif field.is_repeated:
            yield from _spoiled_list(message, field, name, depth)
        elif field.type == FieldDescriptor.TYPE_MESSAGE:
            yield from _spoiled_message(message, field, name, depth)
        else:
            for number, value in enumerate(_values(field)):
                yield f"{name} #{number}", _setter(field.name, value)


def _spoiled_message(
    message: Message, field: FieldDescriptor, name: str, depth: int
) -> Iterator[tuple[str, Spoil]]:
    if "seconds" in field.message_type.fields_by_name:  # a Timestamp or a Duration
        for number, (seconds, nanos) in enumerate(MOMENTS):
            yield f"{name} #{number}", _moment(field.name, seconds, nanos)
        return
    if depth < DEEPEST:
        for inner, spoil in spoiled(getattr(message, field.name), f"{name}.", depth + 1):
            yield inner, _inside(field.name, spoil)
    yield f"{name} absent", lambda m: m.ClearField(field.name)


def _spoiled_list(
    message: Message, field: FieldDescriptor, name: str, depth: int
) -> Iterator[tuple[str, Spoil]]:
    yield f"{name} absent", lambda m: m.ClearField(field.name)
    yield f"{name} many", lambda m: _repeat(m, field.name)
    if field.type != FieldDescriptor.TYPE_MESSAGE:
        for number, value in enumerate(_values(field)):
            yield f"{name}[0] #{number}", _first(field.name, value)
    elif getattr(message, field.name) and depth < DEEPEST:
        for inner, spoil in spoiled(getattr(message, field.name)[0], f"{name}[0].", depth + 1):
            yield inner, lambda m, s=spoil: s(getattr(m, field.name)[0])


def _spoiled_map(field: FieldDescriptor, name: str) -> Iterator[tuple[str, Spoil]]:
    yield (
        f"{name} many",
        lambda m: getattr(m, field.name).update({str(n): "v" for n in range(MANY)}),
    )
    for number, value in enumerate(HOSTILE):
        yield f"{name} key #{number}", lambda m, v=value: getattr(m, field.name).update({v: "v"})
        yield f"{name} value #{number}", lambda m, v=value: getattr(m, field.name).update({"k": v})


def _values(field: FieldDescriptor) -> tuple[Any, ...]:
    kind = field.type
    if kind == FieldDescriptor.TYPE_STRING:
        return HOSTILE
    if kind == FieldDescriptor.TYPE_BYTES:
        return (b"", b"\xff" * 100_000)
    if kind in (FieldDescriptor.TYPE_FLOAT, FieldDescriptor.TYPE_DOUBLE):
        return FLOATS
    if kind == FieldDescriptor.TYPE_BOOL:
        return (True, False)
    if kind == FieldDescriptor.TYPE_ENUM:
        return (0, 9999, -1)
    widest = 64 if kind == FieldDescriptor.TYPE_INT64 else 32
    return tuple(n for n in NUMBERS if -(1 << (widest - 1)) <= n < 1 << (widest - 1))


def _setter(name: str, value: Any) -> Spoil:
    return lambda m: setattr(m, name, value)


def _inside(name: str, spoil: Spoil) -> Spoil:
    return lambda m: spoil(getattr(m, name))


def _moment(name: str, seconds: int, nanos: int) -> Spoil:
    def spoil(message: Message) -> None:
        moment = getattr(message, name)
        moment.seconds, moment.nanos = seconds, nanos

    return spoil


def _first(name: str, value: Any) -> Spoil:
    def spoil(message: Message) -> None:
        values = getattr(message, name)
        del values[:]
        values.append(value)

    return spoil


def _repeat(message: Message, name: str) -> None:
    values = getattr(message, name)
    values.extend(list(values[:1]) * MANY)


def _is_map(field: FieldDescriptor) -> bool:
    return field.message_type is not None and field.message_type.GetOptions().map_entry
