"""Resource names: `collection/id`, as in google.aip.dev/122."""

import re
import time
import uuid

from shared.errors import InvalidArgument

_ID = re.compile(r"[A-Za-z0-9_.-]{1,80}")


def new_id() -> str:
    """A fresh id, 32 hex digits; later ids sort after earlier ones (48 bits of milliseconds)."""
    return f"{time.time_ns() // 1_000_000:012x}{uuid.uuid4().hex[:20]}"


def parse(name: str, collection: str, field: str = "name") -> str:
    """The id in `collection/id`; InvalidArgument where the name has another form."""
    head, _, tail = name.partition("/")
    if head != collection or not _ID.fullmatch(tail):
        raise InvalidArgument.of_field(field, f"must look like {collection}/{{id}}")
    return tail


def parse_request_id(text: str) -> str:
    """A request id in canonical form; InvalidArgument where it is no UUID."""
    try:
        return str(uuid.UUID(text))
    except ValueError:
        raise InvalidArgument.of_field("request_id", "must be a UUID") from None
