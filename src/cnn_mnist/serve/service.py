"""Compute what the paths answer: the network, the finder and the layers, with their queues."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import orjson
from PIL import Image

from cnn_mnist.data.dataset import IMAGE_SIZE
from cnn_mnist.inference.model import Model
from cnn_mnist.reading.decode import FORMATS
from cnn_mnist.reading.finder import Finder
from cnn_mnist.reading.reader import How, read
from cnn_mnist.reading.result import Reading
from cnn_mnist.serve import protocol
from cnn_mnist.serve.layers import Layers, encoded
from cnn_mnist.serve.memory_budget import PixelBudget
from cnn_mnist.serve.metrics import Metrics
from cnn_mnist.serve.request_queues import Answer, Batcher, Limits, Pool
from cnn_mnist.serve.settings import Settings

_SMALL_JSON_BYTES: Final = 64 << 10
"""JSON up to this size is parsed at once, in a millisecond or two; larger ones in a thread."""


class Service:
    """A model, ready to answer.

    Args:
        settings: the model, and the limits of its queues.

    Raises:
        ModelError: the model file cannot be used.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.metrics = Metrics()
        self.draining = False
        """Whether the server is about to stop: it still answers, but readiness is false."""
        self.model = Model(settings.model, threads=1)
        self._finder = Finder()
        self._layers = Layers(settings.model)
        limits = Limits(
            threads=settings.runners,
            max_waiting=settings.max_waiting,
            max_wait_s=settings.max_wait_s,
        )
        self._batcher = Batcher(self.model.predict, limits, self.metrics)
        self._pool = Pool(limits, self.metrics)
        self._pixels = PixelBudget(settings.max_pixels)
        # one at a time: parsing keeps the interpreter's lock, for which the event loop competes
        self._parser = ThreadPoolExecutor(1, "parse")
        # the first run is the slowest: do it before the first request
        self.model.predict(np.zeros((1, IMAGE_SIZE, IMAGE_SIZE), np.float32))

    def close(self) -> None:
        """Shut down the thread pools."""
        self._batcher.close()
        self._pool.close()
        self._parser.shutdown()

    async def parse(self, body: bytes, header_bytes: int | None) -> protocol.Request:
        """Parse an inference request as `protocol.parse` does, without delaying other requests.

        Raises:
            ProtocolError: it does not follow the protocol, or does not fit this network.
        """
        if (len(body) if header_bytes is None else header_bytes) <= _SMALL_JSON_BYTES:
            return protocol.parse(body, header_bytes)
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._parser, protocol.parse, body, header_bytes)

    async def infer(self, images: npt.NDArray[np.float32]) -> Answer:
        """Return logits and probabilities, each `(N, classes)`, of images `(N, 1, 28, 28)`.

        Raises:
            BusyError: the queue is full, or the request has waited for too long.
        """
        return await self._batcher.run(images)

    async def predict(self, name: str, picture: bytes, how: How) -> bytes:
        """Return the reading of a picture as JSON, with the values of `predict --json`.

        Args:
            name: the file's name, for the answer.
            picture: the file's content.
            how: see `read`.

        Raises:
            ImageError: it is not an image, or too large.
            BusyError: the queue is full, or the request has waited for too long.
        """
        return await self._pool.run(self._predict, name, picture, how)

    async def explain(self, picture: bytes, number: int) -> bytes:
        """Return the reading as JSON with class names, each digit's image, and one digit's layers.

        Args:
            picture: the file's content.
            number: which digit's layers to compute, from 0; if there is no such digit, there
                are no layers.

        Raises:
            ImageError: it is not an image, or too large.
            BusyError: the queue is full, or the request has waited for too long.
        """
        return await self._pool.run(self._explain, picture, number)

    def _read(self, picture: bytes, how: How) -> Reading:
        most = self.settings.max_pixels
        with self._pixels.hold(_pixels(picture, most)):
            return read(picture, self.model, finder=self._finder, max_pixels=most, **how)

    def _predict(self, name: str, picture: bytes, how: How) -> bytes:
        return orjson.dumps({"file": name, **self._read(picture, how).to_dict()})

    def _explain(self, picture: bytes, number: int) -> bytes:
        reading = self._read(picture, {})
        answer: dict[str, Any] = reading.to_dict() | {"class_names": self.model.class_names}
        for values, digit in zip(answer["digits"], reading.digits, strict=True):
            values["image"] = encoded(digit.image)
        layers = []
        if number < len(reading.digits):
            activities = self._layers.activities(reading.digits[number].image)
            layers = [activity.to_dict() for activity in activities]
        return orjson.dumps({**answer, "layers": layers})


def _pixels(picture: bytes, most: int) -> int:
    """Return the pixels of a picture from its header; `most` if that does not tell them."""
    try:
        with Image.open(BytesIO(picture), formats=tuple(FORMATS)) as image:
            if getattr(image, "is_animated", False):  # a later frame may be larger
                return most
            return int(image.width * image.height)
    except Exception:  # whatever Pillow raises on damaged files: reading it tells the client
        return most
