"""Training images varied anew each time they are seen: plain tensor functions, generator passed in.

Every function takes a whole batch and draws all of its randomness from the given generator, so a
step can be repeated exactly.
"""

import math

import torch
import torch.nn.functional as F


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
        images: `(B, 1, H, W) float32`, 0 is paper.
        generator: draws the amounts, on the CPU.
        degrees: the largest turn.
        scale: the largest relative change of size, of each axis for itself.
        shear: the largest horizontal shear.
        shift: the largest move, in pixels, of each axis for itself.

    Returns:
        New images of the same shape, bilinearly sampled; what comes from outside is paper.
    """
    count, _, height, width = images.shape
    turn, stretch_x, stretch_y, slant, move_x, move_y = (
        torch.rand(6, count, generator=generator) * 2 - 1
    )
    angle = turn * math.radians(degrees)
    cos, sin = torch.cos(angle), torch.sin(angle)
    stretch_x, stretch_y, slant = 1 + stretch_x * scale, 1 + stretch_y * scale, slant * shear
    # the turn times the shear times the stretch; moves are in half widths, as grids are
    theta = torch.stack(
        (
            *(cos * stretch_x, (cos * slant - sin) * stretch_y, move_x * 2 * shift / width),
            *(sin * stretch_x, (sin * slant + cos) * stretch_y, move_y * 2 * shift / height),
        ),
        dim=1,
    ).view(count, 2, 3)
    grid = F.affine_grid(theta.to(images.device), list(images.shape), align_corners=False)
    return F.grid_sample(images, grid, padding_mode="zeros", align_corners=False)
