"""Augmentation: repeatable, within its limits, independent for each image."""

from collections.abc import Callable

import numpy as np
import pytest
import torch

from cnn_mnist.errors import RecipeError
from cnn_mnist.recipe import named
from cnn_mnist.training.augmentation import (
    AUGMENTATIONS,
    Augmentation,
    affine,
    augmentation_of,
    elastic,
)

Vary = Callable[[torch.Tensor, torch.Generator], torch.Tensor]
VARIATIONS = pytest.mark.parametrize("vary", [affine, elastic])
NOTHING = {"degrees": 0.0, "scale": 0.0, "shear": 0.0, "shift": 0.0}


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def bars(count: int) -> torch.Tensor:
    """Upright bars, 16 high and 8 wide, in the middle."""
    images = torch.zeros(count, 1, 28, 28)
    images[:, :, 6:22, 10:18] = 1
    return images


def moments(images: torch.Tensor) -> dict[str, np.ndarray]:
    """Of each image's ink: centre (x, y), spread along both axes, and lean."""
    mass = images[:, 0].numpy().astype(np.float64)
    mass /= mass.sum(axis=(1, 2), keepdims=True)
    places = np.arange(28) - 13.5
    x, y = mass.sum(axis=1) @ places, mass.sum(axis=2) @ places
    xx, yy = mass.sum(axis=1) @ places**2 - x**2, mass.sum(axis=2) @ places**2 - y**2
    xy = places @ mass @ places - x * y
    return {"x": x, "y": y, "xx": xx, "yy": yy, "turn": np.arctan2(2 * xy, yy - xx) / 2, "xy": xy}


@VARIATIONS
def test_the_same_generator_state_gives_the_same_images(vary: Vary) -> None:
    torch.testing.assert_close(vary(bars(8), seeded()), vary(bars(8), seeded()), rtol=0, atol=0)


@VARIATIONS
def test_no_other_randomness_is_touched(vary: Vary) -> None:
    before = torch.get_rng_state()
    vary(bars(8), seeded())
    assert torch.equal(torch.get_rng_state(), before)


@VARIATIONS
def test_each_call_and_each_image_is_varied_independently(vary: Vary) -> None:
    generator = seeded()
    images = torch.cat([vary(bars(4), generator), vary(bars(4), generator)])
    assert len({image.numpy().tobytes() for image in images}) == 8


@VARIATIONS
def test_the_images_given_stay_as_they_were(vary: Vary) -> None:
    images = bars(8)
    vary(images, seeded())
    assert torch.equal(images, bars(8))


@VARIATIONS
def test_shape_and_type_are_kept_and_values_stay_in_range(vary: Vary) -> None:
    images = torch.rand(16, 1, 28, 28, generator=seeded(1))
    varied = vary(images, seeded())
    assert varied.shape == images.shape
    assert varied.dtype == torch.float32
    assert varied.min() >= 0
    assert varied.max() <= 1 + 1e-6


def test_pixels_from_outside_are_paper() -> None:
    inked = affine(torch.ones(500, 1, 28, 28), seeded(), **NOTHING | {"shift": 8.0})
    # moved by 4 pixels in the mean, on either axis
    assert inked.mean().item() == pytest.approx((1 - 4 / 28) ** 2, abs=0.02)
    assert not affine(torch.zeros(32, 1, 28, 28), seeded()).any()


def test_without_any_amount_nothing_changes() -> None:
    images = torch.rand(8, 1, 28, 28, generator=seeded(1))
    torch.testing.assert_close(affine(images, seeded(), **NOTHING), images, atol=1e-4, rtol=0)


@pytest.mark.parametrize("axis", ["x", "y"])
def test_a_shift_is_in_pixels_symmetric_and_up_to_its_limit(axis: str) -> None:
    moved = moments(affine(bars(500), seeded(), **NOTHING | {"shift": 2.0}))[axis]
    assert np.abs(moved).max() == pytest.approx(2, abs=0.05)
    assert moved.mean() == pytest.approx(0, abs=0.2)


def test_a_rotation_is_in_degrees_symmetric_and_up_to_its_limit() -> None:
    turn = np.degrees(moments(affine(bars(500), seeded(), **NOTHING | {"degrees": 10.0}))["turn"])
    assert np.abs(turn).max() == pytest.approx(10, abs=0.5)
    assert turn.mean() == pytest.approx(0, abs=1)


@pytest.mark.parametrize("axis", ["xx", "yy"])
def test_scaling_is_independent_for_each_axis_and_up_to_its_limit(axis: str) -> None:
    varied = moments(affine(bars(500), seeded(), **NOTHING | {"scale": 0.1}))
    ratio = np.sqrt(varied[axis] / moments(bars(1))[axis])
    assert 0.89 < ratio.min() < 0.95
    assert 1.07 < ratio.max() < 1.14
    assert abs(np.corrcoef(varied["xx"], varied["yy"])[0, 1]) < 0.2


def test_a_shear_leans_and_keeps_the_height() -> None:
    varied = moments(affine(bars(500), seeded(), **NOTHING | {"shear": 0.1}))
    assert np.abs(varied["xy"] / varied["yy"]).max() == pytest.approx(0.1, abs=0.01)
    assert varied["yy"] == pytest.approx(moments(bars(500))["yy"], rel=0.02)


def moves(bend: float) -> torch.Tensor:
    """How far `elastic` moves each pixel beyond what `affine` does, `(N, 28, 28)` in pixels."""
    ramp = (torch.arange(28) / 28.0).expand(2_000, 1, 28, 28)  # its grey level is its place
    bent, straight = elastic(ramp, seeded(), bend=bend), elastic(ramp, seeded(), bend=0.0)
    return (bent - straight)[:, 0] * 28


def test_every_pixel_bends_by_the_deviation_asked_for_and_its_neighbours_with_it() -> None:
    field = moves(0.5)[:, 8:20, 8:20].numpy()  # away from the edges, beyond which there is paper
    assert field.std(axis=0) == pytest.approx(0.5, rel=0.15)
    beside = np.corrcoef(field[:, 5, 5], field[:, 5, 6])[0, 1]
    far = np.corrcoef(field[:, 0, 0], field[:, 0, 11])[0, 1]
    assert beside > 0.95
    assert abs(far) < 0.15


def test_without_any_bend_elastic_is_affine() -> None:
    images = torch.rand(8, 1, 28, 28, generator=seeded(1))
    torch.testing.assert_close(elastic(images, seeded(), bend=0.0), affine(images, seeded()))


@pytest.fixture
def own(monkeypatch: pytest.MonkeyPatch) -> Callable[[Vary], Augmentation]:
    """Returns an augmentation of the user's own as a trainer gets it."""
    monkeypatch.setattr(AUGMENTATIONS, "_parts", dict(AUGMENTATIONS._parts))

    def named_in_a_recipe(vary: Vary) -> Augmentation:
        AUGMENTATIONS.register("my:blur")(vary)
        return augmentation_of(named("standard", augmentation="my:blur"))

    return named_in_a_recipe


def test_an_augmentation_of_the_users_own_is_called_with_images_and_generator(
    own: Callable[[Vary], Augmentation],
) -> None:
    def noise(images: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
        return images + torch.rand(images.shape, generator=generator)

    assert torch.equal(own(noise)(bars(4), seeded()), noise(bars(4), seeded()))


@pytest.mark.parametrize(
    ("vary", "message"),
    [
        (lambda images, generator: images[:2], r"my:blur returned \(2, 1, 28, 28\) .*: expected"),
        (lambda images, generator: images.double(), r"returned .*float64 on cpu: expected"),
        (lambda images, generator: None, "my:blur returned NoneType: expected"),
        (lambda images, generator: images / 0, "my:blur returned NaN or infinity: expected"),
        (lambda images: images, "my:blur failed: TypeError: "),
        (lambda images, generator: 1 / 0, "my:blur failed: ZeroDivisionError: "),
    ],
)
def test_what_a_users_augmentation_returns_is_checked(
    vary: Vary, message: str, own: Callable[[Vary], Augmentation]
) -> None:
    with pytest.raises(RecipeError, match=message):
        own(vary)(bars(4), seeded())
