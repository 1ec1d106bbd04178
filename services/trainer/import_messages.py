"""Requests to import as what is to be kept."""

from __future__ import annotations

from collections.abc import Iterable

from batos.trainer.v1 import trainer_pb2 as pb

from services.trainer.outside_data import OutsideExample, RowRefused, Shape, read_row
from shared.errors import InvalidArgument, Violation

MAX_ROWS = 5000
MAX_BYTES = 4 * 1024 * 1024

_SHAPES = {
    pb.EXAMPLE_SHAPE_MESSAGES: Shape.MESSAGES,
    pb.EXAMPLE_SHAPE_SHAREGPT: Shape.SHAREGPT,
    pb.EXAMPLE_SHAPE_ALPACA: Shape.ALPACA,
}


def read_shape(request: pb.ImportExamplesRequest) -> Shape:
    """The shape of the rows; InvalidArgument that names every fault of the request."""
    faults = []
    if not request.persona or len(request.persona) > 64:
        faults.append(Violation("persona", "must be a persona's name"))
    if request.shape not in _SHAPES:
        faults.append(Violation("shape", "must be MESSAGES, SHAREGPT or ALPACA"))
    if not 1 <= len(request.rows) <= MAX_ROWS:
        faults.append(Violation("rows", f"must be 1 to {MAX_ROWS}"))
    if sum(map(len, request.rows)) > MAX_BYTES:
        faults.append(Violation("rows", f"are longer than {MAX_BYTES} characters together"))
    if faults:
        raise InvalidArgument("; ".join(f"{v.field}: {v.description}" for v in faults), faults)
    return _SHAPES[request.shape]


def read_rows(
    rows: Iterable[str], shape: Shape
) -> tuple[list[OutsideExample], list[pb.RefusedRow]]:
    """The rows that are examples, and those that are none with the reason."""
    examples, refused = [], []
    for index, text in enumerate(rows):
        try:
            examples.append(read_row(text, shape))
        except RowRefused as error:
            refused.append(pb.RefusedRow(index=index, reason=str(error)[:300]))
    return examples, refused
