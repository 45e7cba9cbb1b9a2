"""Compute what the paths answer: the network, the rejector and the layers, with their queues."""

from typing import Any

import numpy as np
import numpy.typing as npt
import orjson

from cnn_mnist.data.dataset import IMAGE_SIZE
from cnn_mnist.errors import ModelError
from cnn_mnist.inference.model import Model
from cnn_mnist.reading.reader import read
from cnn_mnist.reading.rejector import REJECTOR
from cnn_mnist.reading.result import Reading
from cnn_mnist.serve.layers import Layers, encoded
from cnn_mnist.serve.metrics import Metrics
from cnn_mnist.serve.queues import Answer, Batcher, Limits, Pool
from cnn_mnist.serve.settings import Settings

_DIGITS = 10


class Service:
    """A model, ready to answer.

    Args:
        settings: the model, and the limits of its queues.

    Raises:
        ModelError: the model file cannot be used, or does not have 10 classes.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.metrics = Metrics()
        self.draining = False
        """Whether the server is about to stop: it still answers, but readiness is false."""
        self.model = Model(settings.model, threads=1)
        if self.model.classes != _DIGITS:
            raise ModelError(
                f"{settings.model} has {self.model.classes} classes: "
                f"serve a network with {_DIGITS}, the digits"
            )
        self._rejector = Model(REJECTOR, threads=1)
        self._layers = Layers(settings.model)
        limits = Limits(
            threads=settings.runners,
            max_waiting=settings.max_waiting,
            max_wait_s=settings.max_wait_s,
        )
        self._batcher = Batcher(self.model.predict, limits, self.metrics)
        self._pool = Pool(limits, self.metrics)
        # the first run is the slowest: do it before the first request
        self.model.predict(np.zeros((1, IMAGE_SIZE, IMAGE_SIZE), np.float32))

    def close(self) -> None:
        """Shut down the thread pools."""
        self._batcher.close()
        self._pool.close()

    async def infer(self, images: npt.NDArray[np.float32]) -> Answer:
        """Return logits and probabilities, each `(N, 10)`, of images `(N, 1, 28, 28)`.

        Raises:
            BusyError: the queue is full, or the request has waited for too long.
        """
        return await self._batcher.run(images)

    async def predict(self, name: str, picture: bytes) -> bytes:
        """Return the reading of a picture as JSON, with the values of `predict --json`.

        Args:
            name: the file's name, for the answer.
            picture: the file's content.

        Raises:
            ImageError: it is not an image, or too large.
            BusyError: the queue is full, or the request has waited for too long.
        """
        return await self._pool.run(self._predict, name, picture)

    async def explain(self, picture: bytes, number: int) -> bytes:
        """Return the reading as JSON with each digit's image, and the layers for one digit.

        Args:
            picture: the file's content.
            number: which digit's layers to compute, from 0; if there is no such digit, there
                are no layers.

        Raises:
            ImageError: it is not an image, or too large.
            BusyError: the queue is full, or the request has waited for too long.
        """
        return await self._pool.run(self._explain, picture, number)

    def _read(self, picture: bytes) -> Reading:
        return read(
            picture, self.model, rejector=self._rejector, max_pixels=self.settings.max_pixels
        )

    def _predict(self, name: str, picture: bytes) -> bytes:
        return orjson.dumps({"file": name, **self._read(picture).to_dict()})

    def _explain(self, picture: bytes, number: int) -> bytes:
        reading = self._read(picture)
        answer: dict[str, Any] = reading.to_dict()
        for values, digit in zip(answer["digits"], reading.digits, strict=True):
            values["image"] = encoded(digit.image)
        layers = []
        if number < len(reading.digits):
            activities = self._layers.activities(reading.digits[number].image)
            layers = [activity.to_dict() for activity in activities]
        return orjson.dumps({**answer, "layers": layers})
