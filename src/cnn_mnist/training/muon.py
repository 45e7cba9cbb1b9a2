"""Update matrices and convolution kernels by Muon, everything else by AdamW.

Muon orthogonalises the momentum of a matrix before it is used. Its authors advise it for the hidden
layers only: biases, the scales of normalisations and the logits are AdamW's. A kernel
`(out, in, height, width)` counts as the matrix `(out, in * height * width)`. Sources: torch's
documentation of torch.optim.Muon, and Jordan, "Muon: An optimizer for hidden layers in neural
networks", 2024.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import nn


class MuonWithAdamW(torch.optim.Optimizer):
    """torch's Muon on views of the matrices, and torch's AdamW on the rest.

    Args:
        matrices: kernels and matrices, two dimensions or more.
        others: all other parameters.
        lr: the learning rate of both.
        muon: further arguments of `torch.optim.Muon`.
        adamw: further arguments of `torch.optim.AdamW`.
    """

    def __init__(
        self,
        matrices: Sequence[nn.Parameter],
        others: Sequence[nn.Parameter],
        lr: float,
        muon: Mapping[str, Any],
        adamw: Mapping[str, Any],
    ) -> None:
        groups = [{"params": list(matrices)}, {"params": list(others)}]
        super().__init__(groups, {"lr": lr})
        self._views = {parameter: nn.Parameter(_as_matrix(parameter)) for parameter in matrices}
        self._inner: list[torch.optim.Optimizer] = [
            torch.optim.Muon(self._views.values(), lr=lr, **muon)
        ]
        for parameter, view in self._views.items():
            self.state[parameter] = self._inner[0].state[view]  # one and the same dictionary
        if others:
            self._inner.append(torch.optim.AdamW(others, lr=lr, **adamw))
            for parameter in others:
                self.state[parameter] = self._inner[1].state[parameter]

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> None:  # type: ignore[override]
        """Update all parameters that have a gradient."""
        for parameter, view in self._views.items():
            view.grad = None if parameter.grad is None else _as_matrix(parameter.grad, parameter)
        for optimizer in self._inner:
            for group in optimizer.param_groups:
                group["lr"] = self.param_groups[0]["lr"]
            optimizer.step()


def _as_matrix(tensor: torch.Tensor, like: torch.Tensor | None = None) -> torch.Tensor:
    """Return `(out, ...)` as `(out, N)`, columns in the order in which `like` lies in memory.

    In that order a parameter can be viewed, also one in channels-last order; what Muon does with a
    matrix does not depend on the order of its columns.
    """
    strides = (tensor if like is None else like).stride()
    order = sorted(range(1, tensor.ndim), key=lambda axis: -strides[axis])
    rows = tensor.detach().permute(0, *order)
    return rows.view(len(rows), -1) if like is None else rows.reshape(len(rows), -1)
