"""A dense layer whose products are computed by the fastest kernels that torch has for them.

On a processor torch multiplies float32 matrices with MKL, which on AMD's was measured to reach half
of what the processor can do. A matrix product is also a 1x1 convolution over the batch, and
convolutions are oneDNN's, which reaches all of it. Where it is not faster - in bfloat16, on a GPU,
for the gradient of the weights - it is left to torch.
"""

from typing import Any

import torch
import torch.nn.functional as F
from torch import nn


class Linear(nn.Linear):
    """`nn.Linear`, trained faster on a processor: the same function, rounded otherwise."""

    def forward(self, input: torch.Tensor) -> torch.Tensor:  # noqa: A002 its base's name for it
        """`(B, in) to (B, out)`."""
        if (
            self.training
            and input.device.type == "cpu"
            and input.dtype == torch.float32
            and not torch.is_autocast_enabled("cpu")
            and torch.backends.mkldnn.is_available()  # type: ignore[no-untyped-call]
        ):
            return _Product.apply(input, self.weight, self.bias)  # type: ignore[no-any-return,no-untyped-call]
        return super().forward(input)


class _Product(torch.autograd.Function):
    @staticmethod
    def forward(
        context: Any, inputs: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None
    ) -> torch.Tensor:
        context.save_for_backward(inputs, weight)
        return _rows(F.conv2d(_image(inputs), weight[:, :, None, None], bias))

    @staticmethod
    def backward(
        context: Any, *gradients: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor | None]:
        (gradient,) = gradients
        inputs, weight = context.saved_tensors
        of_inputs, _, _ = torch.ops.aten.convolution_backward(
            *(_image(gradient), _image(inputs), weight[:, :, None, None]),
            bias_sizes=None,
            stride=[1, 1],
            padding=[0, 0],
            dilation=[1, 1],
            transposed=False,
            output_padding=[0, 0],
            groups=1,
            output_mask=[True, False, False],
        )
        of_bias = gradient.sum(0) if context.needs_input_grad[2] else None
        return _rows(of_inputs), gradient.t() @ inputs, of_bias


def _image(rows: torch.Tensor) -> torch.Tensor:
    """A batch `(B, N)` as one image `(1, N, 1, B)` in channels-last order, without a copy."""
    return rows.contiguous().t()[None, :, None]


def _rows(image: torch.Tensor) -> torch.Tensor:
    return image[0, :, 0].t()
