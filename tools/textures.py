"""Make images of paper, noise, stains and textures from a seed."""

import math

import numpy as np
from pen import SIDE, Drawing, Generator
from PIL import Image
from scipy import ndimage


def blot(generator: Generator) -> Drawing:
    """Make stains or a dense texture: smooth noise above a level."""
    values = ndimage.gaussian_filter(generator.normal(size=(SIDE, SIDE)), generator.uniform(3, 16))
    x, y = np.meshgrid(*[np.linspace(-1, 1, SIDE)] * 2)
    inside = x**2 + y**2 < generator.uniform(0.2, 0.9)
    level = np.quantile(values, generator.uniform(0.3, 0.8))
    return np.where((values > level) & inside, 0, 255).astype(np.uint8)


def blank(generator: Generator) -> Drawing:
    """Make empty paper with grain and a shadow."""
    x, y = np.meshgrid(*[np.linspace(0, 1, 300)] * 2)
    light = generator.uniform(90, 250) + generator.uniform(-40, 40) * x
    light += generator.normal(0, 15) * y**2
    grain = generator.normal(0, generator.uniform(0.5, 6), light.shape)
    return np.clip(light + grain, 0, 255).astype(np.uint8)


def noise(generator: Generator) -> Drawing:
    """Make noise in which every pixel is random."""
    side = int(generator.integers(28, 300))
    return generator.integers(0, 256, (side, side), dtype=np.uint8)


def texture(generator: Generator) -> Drawing:
    """Make waves, checks or noise of several sizes, like cloth, wood, clouds, foliage."""
    x, y = np.meshgrid(*[np.linspace(0, 2 * math.pi, 240)] * 2)
    values = np.zeros((240, 240))
    for _ in range(generator.integers(1, 5)):
        across, down = generator.uniform(-30, 30, 2)
        values += generator.normal() * np.sin(across * x + down * y)
    values *= generator.uniform(0, 1)
    for side in (4, 8, 16, 32, 64):
        clouds = Image.fromarray(generator.normal(size=(side, side)).astype(np.float32))
        values += np.asarray(clouds.resize((240, 240), Image.Resampling.BICUBIC)) * (8 / side)
    return np.clip(128 + values * generator.uniform(15, 60), 0, 255).astype(np.uint8)
