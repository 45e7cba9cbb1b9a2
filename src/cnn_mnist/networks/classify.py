"""Run a torch network on images as they are stored."""

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from cnn_mnist.networks.eval_mode import in_eval_mode


def as_tensor(array: npt.NDArray[np.uint8]) -> torch.Tensor:
    """Return the same values as a tensor; copied only where torch cannot share them."""
    return torch.from_numpy(np.require(array, requirements=["C_CONTIGUOUS", "WRITEABLE"]))


def classify(model: nn.Module, images: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
    """Compute the logits `(B, classes) float32` of images `(B, 28, 28) uint8`, without dropout."""
    device = next(model.parameters()).device
    # not inference_mode: a network that keeps a tensor of its forward could not train with it
    with in_eval_mode(model), torch.no_grad():
        batch = as_tensor(images).unsqueeze(1).to(device)
        logits: torch.Tensor = model(batch.to(torch.float32).div_(255))
    return logits.cpu().numpy()
