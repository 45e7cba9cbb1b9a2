"""Compute the large dense layers of a network with faster kernels while it is trained.

On a processor torch multiplies float32 matrices with MKL, which on AMD's was measured to reach half
of what the processor can do. A matrix product is also a 1x1 convolution over the batch, and
convolutions are computed by oneDNN, which reaches all of it. Where that is not faster - in
bfloat16, on a GPU, for the gradient of the weights - the product is left to torch. The network
itself stays plain torch: the trainer calls `speed_up` on it.
"""

from types import MethodType
from typing import Any, Final

import torch
import torch.nn.functional as F
from torch import nn

_LEAST_OUTPUTS: Final = 64
"""Narrower layers, such as the logits, are so small that they gain nothing."""


def speed_up(model: nn.Module) -> None:
    """Have the large `nn.Linear` layers of a network trained faster.

    They compute the same function with other rounding. Outside training, and in other dtypes than
    float32, they compute what they did before.
    """
    for layer in model.modules():
        if type(layer) is nn.Linear and layer.out_features >= _LEAST_OUTPUTS:
            layer.forward = MethodType(_forward, layer)  # type: ignore[method-assign]


def _forward(layer: nn.Linear, inputs: torch.Tensor) -> torch.Tensor:
    """Compute `(B, in)` to `(B, out)`."""
    if (
        layer.training
        and inputs.ndim == 2
        and inputs.device.type == "cpu"
        and inputs.dtype == torch.float32
        and not torch.is_autocast_enabled("cpu")
        and torch.backends.mkldnn.is_available()  # type: ignore[no-untyped-call]
    ):
        return _Product.apply(inputs, layer.weight, layer.bias)  # type: ignore[no-any-return,no-untyped-call]
    return F.linear(inputs, layer.weight, layer.bias)


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
    """View a batch `(B, N)` as one image `(1, N, 1, B)` in channels-last order."""
    return rows.contiguous().t()[None, :, None]


def _rows(image: torch.Tensor) -> torch.Tensor:
    """View an image `(1, N, 1, B)` as a batch `(B, N)`."""
    return image[0, :, 0].t()
