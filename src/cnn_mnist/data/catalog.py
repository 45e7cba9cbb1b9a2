"""List the data sets known by name: their files, checksums, licences and mirrors."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final


@dataclass(frozen=True, kw_only=True)
class File:
    """One file of a data set."""

    name: str
    """Its name without `.gz`, such as `train-images-idx3-ubyte`."""
    dimensions: int
    """The number of dimensions of its array."""
    sha256: str | None
    """SHA-256 of the DECOMPRESSED file; None accepts any content."""

    @property
    def spellings(self) -> tuple[str, ...]:
        """The file names under which it is looked for."""
        dotted = self.name.replace("-idx", ".idx")
        return (self.name, f"{self.name}.gz", dotted, f"{dotted}.gz")

    def find_in(self, folder: Path) -> list[Path]:
        """Return the paths in a folder that exist under one of its spellings."""
        return [path for name in self.spellings if (path := folder / name).exists()]


def idx_files(hashes: tuple[str | None, str | None, str | None, str | None]) -> tuple[File, ...]:
    """Return the four files of a data set in MNIST's form.

    Args:
        hashes: the SHA-256 of the training images and labels and the test images and labels.
    """
    names = ("train-images-idx3", "train-labels-idx1", "t10k-images-idx3", "t10k-labels-idx1")
    return tuple(
        File(name=f"{name}-ubyte", dimensions=int(name[-1]), sha256=sha256)
        for name, sha256 in zip(names, hashes, strict=True)
    )


ANY_IDX: Final = idx_files((None, None, None, None))
"""The files of a user's own data set."""


@dataclass(frozen=True, kw_only=True)
class Source:
    """A data set known by name."""

    name: str
    description: str
    licence: str
    files: tuple[File, ...]
    mirrors: tuple[str, ...]
    """URLs of folders that hold its files, each with `.gz`; tried in this order."""


MNIST: Final = Source(
    name="mnist",
    description="60,000 + 10,000 handwritten digits, 28x28 (LeCun, Cortes, Burges 1998)",
    licence="CC BY-SA 3.0",
    files=idx_files(
        (
            "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
            "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
            "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
            "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
        )
    ),
    mirrors=(
        "https://ossci-datasets.s3.amazonaws.com/mnist/",
        "https://storage.googleapis.com/cvdf-datasets/mnist/",
        "https://azureopendatastorage.blob.core.windows.net/mnist/",
    ),
)

DIGITS: Final = Source(
    name="digits",
    description="1,500 + 297 handwritten digits, 8x8 enlarged to 28x28; ships with scikit-learn "
    "(Alpaydin, Kaynak 1998)",
    licence="CC BY 4.0",
    files=(),
    mirrors=(),
)

SOURCES: Final = {source.name: source for source in (MNIST, DIGITS)}
