"""Recompute the statistics of batch normalisation, for use (precise BN) and to train on."""

import math
from collections.abc import Iterator
from typing import Final

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from cnn_mnist.networks.eval_mode import in_eval_mode

_MAX_IMAGES: Final = 20_000
_BATCH: Final = 500
_SAMPLE: Final = 1_000
"""Images from which `restore_batch_norm` takes statistics."""


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
    norms = [
        layer
        for layer in model.modules()
        # a user's network may have frozen ones, which keep their statistics
        if isinstance(layer, _BatchNorm) and layer.training and layer.track_running_stats
    ]
    if not norms:
        return
    momenta = [norm.momentum for norm in norms]
    with in_eval_mode(model), torch.no_grad():
        for norm in norms:
            norm.reset_running_stats()
            norm.momentum = None  # the mean over all batches, each with the same weight
            norm.train()
        for batch in _batches(images, _MAX_IMAGES):
            model(batch)
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum


def restore_batch_norm(model: nn.Module, images: torch.Tensor) -> None:
    """Give normalisations that a model file has folded away their statistics again.

    Folded, a normalisation has mean 0 and variance 1 and adds a bias only (see
    `export.from_onnx.load_network`). In training it would normalise each batch by the batch's own
    statistics and so change what the network computes. Here it gets the statistics of the images,
    and the weight and bias that undo them: in use the network computes the same as before, and in
    training nearly the same.

    Args:
        model: the network, in training mode; it stays so.
        images: see `recalibrate_batch_norm`.
    """
    folded = [
        layer for layer in model.modules() if isinstance(layer, _BatchNorm) and _is_folded(layer)
    ]
    if not folded:
        return
    means: dict[nn.Module, list[torch.Tensor]] = {layer: [] for layer in folded}
    squares: dict[nn.Module, list[torch.Tensor]] = {layer: [] for layer in folded}

    def keep(layer: nn.Module, inputs: tuple[torch.Tensor, ...]) -> None:
        pixels = inputs[0].transpose(0, 1).flatten(1)
        means[layer].append(pixels.mean(1))
        squares[layer].append(pixels.square().mean(1))

    handles = [layer.register_forward_pre_hook(keep) for layer in folded]
    with in_eval_mode(model), torch.no_grad():
        for batch in _batches(images, _SAMPLE):
            model(batch)
    for handle in handles:
        handle.remove()
    with torch.no_grad():
        for layer in folded:
            mean = torch.stack(means[layer]).mean(0)
            variance = (torch.stack(squares[layer]).mean(0) - mean.square()).clamp_(min=0)
            assert layer.running_mean is not None, "see `_is_folded`"
            assert layer.running_var is not None
            layer.running_mean.copy_(mean)
            layer.running_var.copy_(variance)
            layer.weight.copy_((variance + layer.eps).sqrt())
            layer.bias.add_(mean)


def _is_folded(norm: _BatchNorm) -> bool:
    """Return whether a normalisation adds its bias and does no more."""
    if norm.running_mean is None or norm.running_var is None or not norm.affine:
        return False
    scale = norm.weight / (norm.running_var + norm.eps).sqrt()
    return not norm.running_mean.any() and torch.allclose(scale, torch.ones_like(scale))


def _batches(images: torch.Tensor, most: int) -> Iterator[torch.Tensor]:
    """Yield at most so many of the images `(N, 1, 28, 28) uint8`, as float32 in [0, 1].

    They are evenly spaced, since the images may be sorted by class; in batches of about the same
    size, since each batch has the same weight.
    """
    count = min(most, len(images))
    chosen = torch.arange(count, device=images.device) * len(images) // count
    for indices in chosen.tensor_split(math.ceil(count / _BATCH)):
        yield images[indices].to(torch.float32).div_(255)
