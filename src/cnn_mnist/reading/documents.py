"""Open what Pillow alone does not: HEIC photos and PDF pages, each with an extra of its own."""

from collections.abc import Iterator
from io import BytesIO
from threading import Lock
from typing import Final

from PIL import Image, UnidentifiedImageError

from cnn_mnist.errors import ImageError, MissingExtraError, needs_extra

HEIC_SUFFIXES: Final = (".heic", ".heif", ".hif")
PDF_SUFFIXES: Final = (".pdf",)

_PDF_HEAD: Final = 1024  # bytes within which a PDF announces itself
_HEIC_BRANDS: Final = (b"hei", b"hev", b"mif1", b"msf1")
_PDFIUM: Final = Lock()  # PDFium may run in one thread at a time


def is_pdf(content: bytes) -> bool:
    """Return whether a file's content is a PDF."""
    return b"%PDF-" in content[:_PDF_HEAD]


def is_heic(content: bytes) -> bool:
    """Return whether a file's content is a HEIF container of HEVC images, as phones write."""
    return content[4:8] == b"ftyp" and content[8:12].startswith(_HEIC_BRANDS)


def open_heic(content: bytes, name: str) -> Image.Image:
    """Open a HEIC image.

    Raises:
        ImageError: pillow-heif is not installed, or the image is damaged.
    """
    try:
        with needs_extra("heif", f"{name}, a HEIC image,"):
            import pillow_heif
    except MissingExtraError as error:
        raise ImageError(str(error)) from error
    pillow_heif.register_heif_opener()
    try:
        return Image.open(BytesIO(content), formats=("HEIF",))
    except UnidentifiedImageError as error:
        raise ImageError(f"{name} is damaged: it starts as a HEIC image") from error


def pdf_pages(
    content: bytes, name: str, side: int
) -> Iterator[tuple[Image.Image, tuple[int, int]]]:
    """Yield each page of a PDF, its longest side of `side` pixels, and its size in points.

    Raises:
        ImageError: pypdfium2 is not installed, or the PDF cannot be read.
    """
    try:
        with needs_extra("pdf", f"{name} is not an image: a PDF"):
            import pypdfium2
    except MissingExtraError as error:
        raise ImageError(str(error)) from error
    try:
        with _PDFIUM:
            document = pypdfium2.PdfDocument(content)
            count = len(document)
        for number in range(count):
            with _PDFIUM:
                page = document[number]
                width, height = (max(1, round(length)) for length in page.get_size())
                image = page.render(scale=side / max(width, height)).to_pil()
            yield image, (width, height)
    except pypdfium2.PdfiumError as error:
        raise ImageError(f"{name} is not an image or a PDF that can be read: {error}") from error
