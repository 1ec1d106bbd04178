"""Random messages of any type, read off its descriptor, as strategies of hypothesis."""

from collections.abc import Callable
from typing import Any

from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass
from hypothesis import strategies as st

from tests.abuse.wire.spoiling import FLOATS, HOSTILE, NUMBERS
from tests.abuse.wire.valid_requests import TOOL, fresh

_DEEPEST = 4
_KNOWN = ("ROBIN", "BRICK", f"tools/{TOOL}", "tests", "somas/a", '{"n": 1}', "[]", "0", "print(1)")

texts = st.one_of(
    st.text(max_size=40),
    st.sampled_from(_KNOWN),
    st.sampled_from([t for t in HOSTILE if len(t) < 200]),
)


def payloads(valid: Callable[[], Message]) -> st.SearchStrategy[bytes]:
    """Bytes for a method: random messages, good ones with random parts, and damaged bytes."""
    descriptor = valid().DESCRIPTOR
    return st.one_of(
        messages(descriptor).map(_identified).map(_packed),
        st.builds(_merged, st.builds(valid), messages(descriptor)).map(_packed),
        st.builds(_damaged, st.builds(valid).map(_packed), st.data()),
        st.binary(max_size=60),
    )


@st.composite
def messages(draw: st.DrawFn, descriptor: Descriptor, depth: int = 0) -> Message:
    """A message in which each field is set or not."""
    message = GetMessageClass(descriptor)()
    for field in descriptor.fields:
        if draw(st.integers(0, 2)):
            _fill(draw, message, field, depth)
    return message


def _fill(draw: st.DrawFn, message: Message, field: FieldDescriptor, depth: int) -> None:
    if field.message_type and field.message_type.GetOptions().map_entry:
        getattr(message, field.name).update(draw(st.dictionaries(texts, texts, max_size=4)))
    elif field.type == FieldDescriptor.TYPE_MESSAGE:
        if depth < _DEEPEST:
            inner = messages(field.message_type, depth + 1)
            if field.is_repeated:
                getattr(message, field.name).extend(draw(st.lists(inner, max_size=3)))
            else:
                getattr(message, field.name).CopyFrom(draw(inner))
    elif field.is_repeated:
        getattr(message, field.name).extend(draw(st.lists(_values(field), max_size=4)))
    else:
        setattr(message, field.name, draw(_values(field)))


def _values(field: FieldDescriptor) -> st.SearchStrategy[Any]:
    kind = field.type
    if kind == FieldDescriptor.TYPE_STRING:
        return texts
    if kind == FieldDescriptor.TYPE_BYTES:
        return st.binary(max_size=200)
    if kind in (FieldDescriptor.TYPE_FLOAT, FieldDescriptor.TYPE_DOUBLE):
        return st.one_of(st.floats(width=32), st.sampled_from([f for f in FLOATS if f != 1e308]))
    if kind == FieldDescriptor.TYPE_BOOL:
        return st.booleans()
    if kind == FieldDescriptor.TYPE_ENUM:
        return st.one_of(st.integers(0, 6), st.integers(-(1 << 31), (1 << 31) - 1))
    widest = 63 if kind == FieldDescriptor.TYPE_INT64 else 31
    low, high = -(1 << widest), (1 << widest) - 1
    odd = st.sampled_from([n for n in NUMBERS if low <= n <= high])
    return st.one_of(st.integers(-2, 100), odd, st.integers(low, high))


def _identified(message: Message) -> Message:
    """With a UUID where it takes one, or nothing random would ever come further than that."""
    if "request_id" in message.DESCRIPTOR.fields_by_name:
        message.request_id = fresh()  # type: ignore[attr-defined]
    return message


def _merged(valid: Message, random: Message) -> Message:
    """The good message with a random one laid over it; its id stays."""
    request_id = getattr(valid, "request_id", "")
    valid.MergeFrom(random)
    if request_id:
        valid.request_id = request_id  # type: ignore[attr-defined]
    return valid


def _packed(message: Message) -> bytes:
    return message.SerializeToString()


def _damaged(data: bytes, draw: Any) -> bytes:
    """The bytes with some of them changed, left out or doubled."""
    damaged = bytearray(data)
    for _ in range(draw.draw(st.integers(1, 4))):
        if not damaged:
            break
        place = draw.draw(st.integers(0, len(damaged) - 1))
        damaged[place : place + 1] = draw.draw(st.binary(max_size=3))
    return bytes(damaged)
