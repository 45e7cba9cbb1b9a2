"""Vary training images each time they are seen.

An augmentation is a function `(images, generator) -> images` of a whole batch
`(B, 1, 28, 28) float32`, 0 being paper. It draws all of its randomness from the given generator, so
that a step can be repeated exactly. The user's own is named `module:function` on the command line;
in Python `Recipe(augmentation=AUGMENTATIONS.add(function), ...)`.
"""

import math
from collections.abc import Callable
from functools import cache
from typing import Final, TypeAlias

import torch
import torch.nn.functional as F

from cnn_mnist.data.dataset import IMAGE_SIZE
from cnn_mnist.errors import RecipeError
from cnn_mnist.recipe import Recipe
from cnn_mnist.registry import Registry

Augmentation: TypeAlias = Callable[[torch.Tensor, torch.Generator], torch.Tensor]

AUGMENTATIONS: Final[Registry[Augmentation]] = Registry("augmentation", __name__)

_SMOOTHNESS: Final = 4.0  # pixels: about a stroke's width and a half


@AUGMENTATIONS.register("none")
def none(images: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """Return the images as they are."""
    return images


@AUGMENTATIONS.register("affine")
def affine(
    images: torch.Tensor,
    generator: torch.Generator,
    *,
    degrees: float = 10.0,
    scale: float = 0.1,
    shear: float = 0.1,
    shift: float = 2.0,
) -> torch.Tensor:
    """Rotate, scale, shear and shift each image by its own random amounts (uniform, symmetric).

    Args:
        images: `(B, 1, 28, 28) float32`, 0 is paper.
        generator: draws the amounts, on the images' device.
        degrees: the largest rotation.
        scale: the largest relative change of size, independent for each axis.
        shear: the largest horizontal shear.
        shift: the largest shift in pixels, independent for each axis.

    Returns:
        New images of the same shape, bilinearly sampled; pixels from outside are paper.
    """
    grid = _affine_grid(len(images), generator, degrees, scale, shear, shift)
    return _sample(images, grid)


@AUGMENTATIONS.register("elastic")
def elastic(images: torch.Tensor, generator: torch.Generator, *, bend: float = 0.7) -> torch.Tensor:
    """Apply `affine`, and bend each image as if drawn on rubber.

    Every pixel is moved by a smooth random field: normally distributed with the deviation `bend`
    on each axis, correlated over `_SMOOTHNESS` pixels. Source: Simard, Steinkraus and Platt, "Best
    Practices for Convolutional Neural Networks Applied to Visual Document Analysis", 2003.

    Args:
        images: `(B, 1, 28, 28) float32`, 0 is paper.
        generator: draws the amounts, on the images' device.
        bend: standard deviation of a pixel's displacement, in pixels.

    Returns:
        New images of the same shape, bilinearly sampled once; pixels from outside are paper.
    """
    grid = _affine_grid(len(images), generator, degrees=10.0, scale=0.1, shear=0.1, shift=2.0)
    field = _field(images.device)
    knots = field.shape[1]
    noise = torch.randn(len(images), 2, knots, knots, generator=generator, device=generator.device)
    moves = field @ noise @ field.T
    return _sample(images, grid + moves.permute(0, 2, 3, 1) * (bend * 2 / IMAGE_SIZE))


def augmentation_of(recipe: Recipe) -> Augmentation:
    """Return the recipe's augmentation; what a user's own returns is checked on its first batch.

    Raises:
        RecipeError: no augmentation has the recipe's name.
    """
    augment = AUGMENTATIONS.get(recipe.augmentation)
    if AUGMENTATIONS.is_own(recipe.augmentation):
        return _Checked(recipe.augmentation, augment)
    return augment


class _Checked:
    """A user's augmentation: its errors, and what it returns first, are told in one line."""

    def __init__(self, name: str, augment: Augmentation) -> None:
        self._name = name
        self._augment = augment
        self._is_checked = False

    def __call__(self, images: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
        given = f"{tuple(images.shape)} {images.dtype} on {images.device}"
        try:
            varied = self._augment(images, generator)
        except Exception as error:  # whatever the user's function raises
            kind = type(error).__name__
            raise RecipeError(f"augmentation {self._name} failed: {kind}: {error}") from error
        if not self._is_checked:
            self._check(varied, given)
            self._is_checked = True
        return varied

    def _check(self, varied: object, expected: str) -> None:
        found = type(varied).__name__
        if isinstance(varied, torch.Tensor):
            found = f"{tuple(varied.shape)} {varied.dtype} on {varied.device}"
            if found == expected and not varied.isfinite().all():
                found = "NaN or infinity"
        if found != expected:
            raise RecipeError(f"augmentation {self._name} returned {found}: expected {expected}")


def _affine_grid(
    count: int,
    generator: torch.Generator,
    degrees: float,
    scale: float,
    shear: float,
    shift: float,
) -> torch.Tensor:
    """Return where each pixel is sampled from, `(count, 28, 28, 2)`: x and y in [-1, 1]."""
    turn, stretch_x, stretch_y, slant, move_x, move_y = (
        torch.rand(6, count, generator=generator, device=generator.device) * 2 - 1
    )
    angle = turn * math.radians(degrees)
    cos, sin = torch.cos(angle), torch.sin(angle)
    stretch_x, stretch_y, slant = 1 + stretch_x * scale, 1 + stretch_y * scale, slant * shear
    # rotation times shear times scaling
    theta = torch.stack(
        (
            *(cos * stretch_x, (cos * slant - sin) * stretch_y, move_x * 2 * shift / IMAGE_SIZE),
            *(sin * stretch_x, (sin * slant + cos) * stretch_y, move_y * 2 * shift / IMAGE_SIZE),
        ),
        dim=1,
    ).view(count, 2, 3)
    return F.affine_grid(theta, [count, 1, IMAGE_SIZE, IMAGE_SIZE], align_corners=False)


def _sample(images: torch.Tensor, grid: torch.Tensor) -> torch.Tensor:
    return F.grid_sample(images, grid, padding_mode="zeros", align_corners=False)


def _smoothing(smoothness: float) -> torch.Tensor:
    """Return the matrix from white noise at knots `smoothness` pixels apart to 28 smooth pixels.

    Gaussian bumps around the knots; rows have norm 1, so that each pixel has the noise's deviation.

    Returns:
        `(28, knots) float32`.
    """
    knots = torch.arange(-smoothness / 2, IMAGE_SIZE + smoothness, smoothness)
    pixels = torch.arange(IMAGE_SIZE) + 0.5
    bumps = torch.exp(-((pixels[:, None] - knots).square()) / (2 * smoothness**2))
    return F.normalize(bumps, dim=1)


@cache
def _field(device: torch.device) -> torch.Tensor:
    """Return `_smoothing`, computed once for each device."""
    return _smoothing(_SMOOTHNESS).to(device)
