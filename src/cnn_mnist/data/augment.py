"""Training images varied anew each time they are seen: plain tensor functions, generator passed in.

Every function takes a whole batch and draws all of its randomness from the given generator, so a
step can be repeated exactly.
"""

import math
from functools import cache
from typing import Final

import torch
import torch.nn.functional as F

_SIZE: Final = 28
_SMOOTHNESS: Final = 4.0  # pixels: about a stroke's width and a half


def affine(
    images: torch.Tensor,
    generator: torch.Generator,
    *,
    degrees: float = 10.0,
    scale: float = 0.1,
    shear: float = 0.1,
    shift: float = 2.0,
) -> torch.Tensor:
    """Turn, scale, shear and shift each image by its own random amounts (uniform, symmetric).

    Args:
        images: `(B, 1, 28, 28) float32`, 0 is paper.
        generator: draws the amounts, on the images' device.
        degrees: the largest turn.
        scale: the largest relative change of size, of each axis for itself.
        shear: the largest horizontal shear.
        shift: the largest move, in pixels, of each axis for itself.

    Returns:
        New images of the same shape, bilinearly sampled; what comes from outside is paper.
    """
    grid = _affine_grid(len(images), generator, degrees, scale, shear, shift)
    return _sample(images, grid)


def elastic(images: torch.Tensor, generator: torch.Generator, *, bend: float = 0.7) -> torch.Tensor:
    """`affine`, and each image bent as if drawn on rubber.

    Every pixel is moved by a smooth random field, a normal distribution with the deviation `bend`
    on each axis, correlated over `_SMOOTHNESS` pixels. Source: Simard, Steinkraus and Platt, "Best
    Practices for Convolutional Neural Networks Applied to Visual Document Analysis", 2003.

    Args:
        images: `(B, 1, 28, 28) float32`, 0 is paper.
        generator: draws the amounts, on the images' device.
        bend: deviation of a pixel's move, in pixels.

    Returns:
        New images of the same shape, bilinearly sampled once; what comes from outside is paper.
    """
    grid = _affine_grid(len(images), generator, degrees=10.0, scale=0.1, shear=0.1, shift=2.0)
    field = _field(images.device)
    knots = field.shape[1]
    noise = torch.randn(len(images), 2, knots, knots, generator=generator, device=generator.device)
    moves = field @ noise @ field.T
    return _sample(images, grid + moves.permute(0, 2, 3, 1) * (bend * 2 / _SIZE))


def _affine_grid(
    count: int,
    generator: torch.Generator,
    degrees: float,
    scale: float,
    shear: float,
    shift: float,
) -> torch.Tensor:
    """Where each pixel comes from, `(count, 28, 28, 2)`: x and y in half widths from the middle."""
    turn, stretch_x, stretch_y, slant, move_x, move_y = (
        torch.rand(6, count, generator=generator, device=generator.device) * 2 - 1
    )
    angle = turn * math.radians(degrees)
    cos, sin = torch.cos(angle), torch.sin(angle)
    stretch_x, stretch_y, slant = 1 + stretch_x * scale, 1 + stretch_y * scale, slant * shear
    # the turn times the shear times the stretch
    theta = torch.stack(
        (
            *(cos * stretch_x, (cos * slant - sin) * stretch_y, move_x * 2 * shift / _SIZE),
            *(sin * stretch_x, (sin * slant + cos) * stretch_y, move_y * 2 * shift / _SIZE),
        ),
        dim=1,
    ).view(count, 2, 3)
    return F.affine_grid(theta, [count, 1, _SIZE, _SIZE], align_corners=False)


def _sample(images: torch.Tensor, grid: torch.Tensor) -> torch.Tensor:
    return F.grid_sample(images, grid, padding_mode="zeros", align_corners=False)


def _smoothing(smoothness: float) -> torch.Tensor:
    """Maps white noise at knots `smoothness` pixels apart to a smooth line of 28 pixels.

    Gaussian bumps around the knots; rows of norm 1, so that each pixel's deviation is the noise's.

    Returns:
        `(28, knots) float32`.
    """
    knots = torch.arange(-smoothness / 2, _SIZE + smoothness, smoothness)
    pixels = torch.arange(_SIZE) + 0.5
    bumps = torch.exp(-((pixels[:, None] - knots).square()) / (2 * smoothness**2))
    return F.normalize(bumps, dim=1)


@cache
def _field(device: torch.device) -> torch.Tensor:
    """`_smoothing`, once for each device."""
    return _smoothing(_SMOOTHNESS).to(device)
