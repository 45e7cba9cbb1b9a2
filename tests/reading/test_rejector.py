"""The rejector tells digits in MNIST's form from other shapes."""

import numpy as np
import pytest
from PIL import Image, ImageDraw

from cnn_mnist.data import digits
from cnn_mnist.reading.rejector import Rejector


@pytest.fixture(scope="module")
def rejector() -> Rejector:
    return Rejector()


def test_it_takes_nearly_every_digit_for_one(rejector: Rejector) -> None:
    images = (digits.load().test.images / 255).astype(np.float32)
    assert (rejector.digit_probabilities(images) >= rejector.threshold).mean() > 0.95


def test_it_does_not_take_a_star_for_a_digit(rejector: Rejector) -> None:
    star = Image.new("L", (28, 28))
    draw = ImageDraw.Draw(star)
    for end in ((4, 14, 24, 14), (14, 4, 14, 24), (7, 7, 21, 21), (7, 21, 21, 7)):
        draw.line(end, 255, 2)
    (probability,) = rejector.digit_probabilities((np.asarray(star) / 255).astype(np.float32)[None])
    assert probability < rejector.threshold


def test_of_no_images_it_says_nothing(rejector: Rejector) -> None:
    assert rejector.digit_probabilities(np.zeros((0, 28, 28), np.float32)).shape == (0,)
