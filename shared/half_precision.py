"""Whether half precision is worth its while on the machine at hand."""

import time
from functools import cache

import torch

_SIZE = 256  # rows and columns of the matrices that are multiplied
_ROUNDS = 5


@cache
def bfloat16_is_fast() -> bool:
    """Tell whether bfloat16 multiplies at least as fast as float32, on the GPU or else the CPU.

    Every GPU in use has it in hardware. A CPU is measured, which takes milliseconds: flags of
    instruction sets differ between makers, and one without them computes bfloat16 up to ten times
    slower than float32.
    """
    return torch.cuda.is_available() or _seconds(torch.bfloat16) <= _seconds(torch.float32)


def _seconds(dtype: torch.dtype) -> float:
    """Return the shortest time of a multiplication; the first, which warms up, does not count."""
    matrix = torch.ones(_SIZE, _SIZE, dtype=dtype)
    times = []
    for _ in range(_ROUNDS + 1):
        began = time.perf_counter()
        torch.mm(matrix, matrix)
        times.append(time.perf_counter() - began)
    return min(times[1:])
