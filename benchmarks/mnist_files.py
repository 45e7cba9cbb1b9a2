"""Score how well MNIST's test images are read as picture files."""

from collections.abc import Callable
from typing import Any

import numpy as np
from answers import Readers, png
from PIL import Image, ImageOps
from scores import count_by

from cnn_mnist import Model, load

SEED = 1
FORMS: dict[str, Callable[[Image.Image, np.random.Generator], Image.Image]] = {
    "as it is": lambda image, _: image,
    "200x200": lambda image, _: image.resize((200, 200), Image.Resampling.BICUBIC),
    "shifted": lambda image, generator: ImageOps.expand(image, 4).crop(
        (lambda x, y: (x, y, x + 28, y + 28))(*generator.integers(1, 8, 2).tolist())
    ),
    "larger canvas": lambda image, generator: _on_canvas(image, *generator.integers(150, size=2)),
}


def _on_canvas(image: Image.Image, left: int, top: int) -> Image.Image:
    canvas = Image.new("L", (240, 240))
    canvas.paste(image.resize((84, 84), Image.Resampling.BICUBIC), (int(left), int(top)))
    return canvas


def round_trip(readers: Readers, model: Model, most: int) -> dict[str, Any]:
    """Read MNIST's test images as PNG files, in each form and both polarities in turn.

    Args:
        readers: what reads the pictures.
        model: the network, whose accuracy on the same images is compared.
        most: how many images, at most 10,000.
    """
    test = load("mnist").test
    images, labels = test.images[:most], test.labels[:most]
    plain = float((model.classify(images).argmax(axis=1) == labels).mean())
    names, generator = list(FORMS), np.random.default_rng(SEED)
    forms = [names[number % len(names)] for number in range(len(images))]
    files = []
    for number, (image, form) in enumerate(zip(images, forms, strict=True)):
        picture = FORMS[form](Image.fromarray(image), generator)
        dark_on_light = number // len(names) % 2
        files.append(png(np.asarray(ImageOps.invert(picture) if dark_on_light else picture)))
    texts = [answer.text for answer in readers.read(files)]
    right = [text == str(label) for text, label in zip(texts, labels, strict=True)]
    return {
        "n": len(images),
        "network_accuracy": plain,
        "accuracy": sum(right) / len(right),
        "points_lost": 100 * (plain - sum(right) / len(right)),
        "refused": sum(not text for text in texts) / len(right),
        "by_form": count_by(forms, right),
    }
