"""Half precision only where it is no slower."""

import torch

from shared import half_precision


def test_the_faster_one_is_taken_where_they_clearly_differ():
    halved = min(half_precision._seconds(torch.bfloat16) for _ in range(3))
    full = min(half_precision._seconds(torch.float32) for _ in range(3))
    if max(halved, full) > 2 * min(halved, full) and not torch.cuda.is_available():
        assert half_precision.bfloat16_is_fast() == (halved < full)
