"""A drawing as a PNG file: whole or not there."""

from io import BytesIO
from pathlib import Path

from PIL import Image

from cnn_mnist.errors import ExportError
from cnn_mnist.files import replace


def write_png(drawing: Image.Image, path: Path) -> None:
    """Create or replace a PNG file in one step.

    Raises:
        ExportError: it cannot be written; an earlier file stays.
    """
    content = BytesIO()
    drawing.save(content, "PNG")
    try:
        replace(path, content.getvalue())
    except OSError as error:
        raise ExportError(f"{path} cannot be written: {error.strerror or error}") from error
