"""Recompute the statistics of batch normalisation for use (precise BN)."""

import math
from typing import Final

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

_MAX_IMAGES: Final = 20_000
_BATCH: Final = 500


def recalibrate_batch_norm(model: nn.Module, images: torch.Tensor) -> None:
    """Recompute the running statistics of all normalisations from training images as they are.

    In training with augmentation they are running means over augmented images; in use the network
    sees images as they are, with its last weights. Training itself is not changed: there each batch
    is normalised by its own statistics. Source: Wu and Johnson, "Rethinking 'Batch' in BatchNorm",
    2021.

    Args:
        model: a network in training mode; only its running statistics change.
        images: `(N, 1, 28, 28) uint8`, all training images, on the network's device.
    """
    norms = [layer for layer in model.modules() if isinstance(layer, _BatchNorm)]
    if not norms:
        return
    model.eval()
    momenta = [norm.momentum for norm in norms]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # the mean over all batches, each with the same weight
        norm.train()
    with torch.no_grad():
        # evenly spaced, since the images may be sorted by class; in batches of about the same
        # size, since each batch has the same weight
        count = min(_MAX_IMAGES, len(images))
        chosen = torch.arange(count, device=images.device) * len(images) // count
        for indices in chosen.tensor_split(math.ceil(count / _BATCH)):
            model(images[indices].to(torch.float32).div_(255))
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum
    model.train()
