"""What the paths call: the network, the rejector and the layers, with their queues."""

from typing import Any

import numpy as np
import numpy.typing as npt
import orjson

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
        settings: which model, and how much of it at a time.

    Raises:
        ModelError: the model file cannot be used, or its classes are not the ten digits.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.metrics = Metrics()
        self.draining = False
        """The server is about to stop: it answers, but is not ready for more."""
        self.model = Model(settings.model, threads=1)
        if self.model.classes != _DIGITS:
            raise ModelError(
                f"{settings.model} has {self.model.classes} classes: a network of the ten digits "
                "is served"
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
        self.model.predict(np.zeros((1, 28, 28), np.float32))  # the first run is the slowest

    def close(self) -> None:
        """Let go of the threads."""
        self._batcher.close()
        self._pool.close()

    async def infer(self, images: npt.NDArray[np.float32]) -> Answer:
        """Logits and probabilities; raises BusyError."""
        return await self._batcher.run(images)

    async def predict(self, name: str, picture: bytes) -> bytes:
        """The reading of a picture, as `predict --json` has it; raises ImageError, BusyError."""
        return await self._pool.run(self._predict, name, picture)

    async def explain(self, picture: bytes, digit: int) -> bytes:
        """The reading, each digit's image, and one digit's way through the network."""
        return await self._pool.run(self._explain, picture, digit)

    def _read(self, picture: bytes) -> Reading:
        return read(
            picture, self.model, rejector=self._rejector, max_pixels=self.settings.max_pixels
        )

    def _predict(self, name: str, picture: bytes) -> bytes:
        return orjson.dumps({"file": name, **self._read(picture).to_dict()})

    def _explain(self, picture: bytes, number: int) -> bytes:
        reading = self._read(picture)
        answer: dict[str, Any] = reading.to_dict()
        for digit, seen in zip(answer["digits"], reading.digits, strict=True):
            digit["image"] = encoded(seen.image)
        layers = []
        if number < len(reading.digits):
            activities = self._layers.activities(reading.digits[number].image)
            layers = [activity.to_dict() for activity in activities]
        return orjson.dumps({**answer, "layers": layers})
