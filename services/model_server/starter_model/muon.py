"""Muon, computed in whichever precision the machine multiplies fastest.

Jordan et al. 2024 (https://kellerjordan.github.io/posts/muon/), with the rate matched to AdamW's as
in Moonlight (arXiv 2502.16982). `torch.optim.Muon` orthogonalises in bfloat16 alone, which takes
longer than the rest of a step on a CPU that has to emulate it; matrices of one shape go together.
"""

from collections import defaultdict
from collections.abc import Iterable
from typing import Any

import torch

from shared.half_precision import bfloat16_is_fast

MOMENTUM = 0.95
ROUNDS = 5
A, B, C = 3.4445, -4.7750, 2.0315  # of the quintic iteration


class Muon(torch.optim.Optimizer):  # type: ignore[misc]
    """Momentum whose steps are orthogonalised; for matrices only."""

    def __init__(self, matrices: Iterable[torch.Tensor], lr: float, weight_decay: float) -> None:
        super().__init__(matrices, {"lr": lr, "weight_decay": weight_decay})

    @torch.no_grad()  # type: ignore[untyped-decorator]
    def step(self, closure: Any = None) -> None:
        """Take one step; `closure` is not supported."""
        for group in self.param_groups:
            alike: dict[torch.Size, list[torch.Tensor]] = defaultdict(list)
            for matrix in group["params"]:
                if matrix.grad is not None:
                    alike[matrix.shape].append(matrix)
            for matrices in alike.values():
                self._move(matrices, group["lr"], group["weight_decay"])

    def _move(self, matrices: list[torch.Tensor], rate: float, decay: float) -> None:
        steps = orthogonal(torch.stack([self._step_of(matrix) for matrix in matrices]))
        rows, columns = matrices[0].shape
        matched = rate * 0.2 * max(rows, columns) ** 0.5
        for matrix, step in zip(matrices, steps, strict=True):
            matrix.mul_(1 - rate * decay).add_(step, alpha=-matched)

    def _step_of(self, matrix: torch.Tensor) -> torch.Tensor:
        """Return Nesterov's step before it is orthogonalised."""
        state = self.state[matrix]
        momentum = state.setdefault("momentum_buffer", torch.zeros_like(matrix))
        momentum.lerp_(matrix.grad, 1 - MOMENTUM)
        return matrix.grad.lerp(momentum, MOMENTUM)


def orthogonal(steps: torch.Tensor) -> torch.Tensor:
    """Bring the singular values of each matrix near 1. Shape (matrices, rows, columns)."""
    tall = steps.size(1) > steps.size(2)
    x = steps.mT if tall else steps
    x = x.to(torch.bfloat16 if bfloat16_is_fast() else torch.float32)
    x = x / (x.norm(dim=(1, 2), keepdim=True) + 1e-7)
    for _ in range(ROUNDS):
        gram = x @ x.mT
        x = torch.baddbmm(x, torch.baddbmm(gram, gram, gram, beta=B, alpha=C), x, beta=A)
    return (x.mT if tall else x).to(steps.dtype)
