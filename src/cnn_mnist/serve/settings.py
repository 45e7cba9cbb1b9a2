"""What a server is started with, and its limits."""

from dataclasses import dataclass
from pathlib import Path

from cnn_mnist.errors import ServeError
from cnn_mnist.inference.model import BUNDLED
from cnn_mnist.machine import cores


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Everything that the application needs; it travels to worker processes by pickle."""

    model: Path = BUNDLED
    """The ONNX file of a network of the ten digits."""
    threads: int = 0
    """How many batches, and how many pictures, are computed at a time; 0: one for each core."""
    token: str | None = None
    """What clients must send as `Authorization: Bearer TOKEN`; health and page files are open."""
    max_body_bytes: int = 16 << 20
    """Of a picture: enough for any telephone's."""
    max_tensor_bytes: int = 4 << 20
    """Of an inference request: 256 images as JSON."""
    max_pixels: int = 50_000_000
    """Of a picture, width times height; beyond it nothing is decoded."""
    max_waiting: int = 256
    """Requests in each queue, of tensors and of pictures; one more is answered 503."""
    max_wait_s: float = 10.0
    """In a queue; who has waited longer is answered 503."""
    drain_s: float = 1.0
    """From SIGTERM, when readiness turns false, to the end of listening: a load balancer's time to
    send new clients elsewhere."""

    @property
    def runners(self) -> int:
        """`threads`, the cores counted."""
        return self.threads or cores()


def read_token(path: Path) -> str:
    """The token in a file: its one line.

    Raises:
        ServeError: the file cannot be read, or holds no single line of printable ASCII.
    """
    try:
        token = path.read_text("ascii").strip()
    except OSError as error:
        raise ServeError(f"{path} cannot be read: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise ServeError(f"{path} is no token: expected one line of ASCII") from error
    if not token or not token.isprintable() or " " in token:
        raise ServeError(f"{path} is no token: expected one line without spaces")
    return token
