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
    sha256: str | None = None
    """SHA-256 of the DECOMPRESSED file; None accepts any content."""
    md5: str | None = None
    """MD5 of the `.gz` file, of data sets whose authors or torchvision publish that; it cannot be
    checked where the file was decompressed."""

    @property
    def spellings(self) -> tuple[str, ...]:
        """The file names under which it is looked for."""
        dotted = self.name.replace("-idx", ".idx")
        return (self.name, f"{self.name}.gz", dotted, f"{dotted}.gz")

    def find_in(self, folder: Path) -> list[Path]:
        """Return the files in a folder that exist under one of its spellings.

        Kaggle's archive of MNIST, unpacked, has a FOLDER of that name that holds the file.
        """
        found = []
        for path in (folder / name for name in self.spellings):
            if path.is_dir():
                found += self.find_in(path)
            elif path.exists():
                found.append(path)
        return found


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


def published_md5(names: tuple[str, ...], hashes: tuple[str, str, str, str]) -> tuple[File, ...]:
    """Return the files of a data set of which the MD5 of the `.gz` is known.

    Args:
        names: of the training images and labels and the test images and labels, such as
            `train-images-idx3-ubyte`.
        hashes: their MD5, in that order.
    """
    return tuple(
        File(name=name, dimensions=int(name.partition("idx")[2][0]), md5=md5)
        for name, md5 in zip(names, hashes, strict=True)
    )


@dataclass(frozen=True, kw_only=True)
class Source:
    """A data set known by name."""

    name: str
    description: str
    licence: str
    files: tuple[File, ...]
    mirrors: tuple[str, ...]
    """URLs of folders that hold its files, each with `.gz`; tried in this order."""
    class_names: tuple[str, ...] = ()
    """Where none are given, `0`, `1` and so on."""
    torchvision: str | None = None
    """The folder that torchvision keeps it in: `ROOT/MNIST/raw/`."""

    def folders_in(self, place: Path) -> tuple[Path, ...]:
        """Return where its files may be below a data directory, ours first."""
        own = (place / self.name,)
        return (*own, place / self.torchvision / "raw") if self.torchvision else own


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
    torchvision="MNIST",
)

DIGITS: Final = Source(
    name="digits",
    description="1,500 + 297 handwritten digits, 8x8 enlarged to 28x28; ships with scikit-learn "
    "(Alpaydin, Kaynak 1998)",
    licence="CC BY 4.0",
    files=(),
    mirrors=(),
)

_NAMES: Final = tuple(file.name for file in ANY_IDX)

FASHION_MNIST: Final = Source(
    name="fashion-mnist",
    description="60,000 + 10,000 pictures of clothes, 28x28 (Xiao, Rasul, Vollgraf 2017)",
    licence="MIT",
    files=published_md5(
        _NAMES,
        (
            "8d4fb7e6c68d591d4c3dfef9ec88bf0d",
            "25c81989df183df01b3e8a0aad5dffbe",
            "bef4ecab320f06d8554ea6380940ec79",
            "bb300cfdad3c16e7a12a480ee83cd310",
        ),
    ),
    mirrors=("http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",),
    class_names=(
        "T-shirt/top",
        "Trouser",
        "Pullover",
        "Dress",
        "Coat",
        "Sandal",
        "Shirt",
        "Sneaker",
        "Bag",
        "Ankle boot",
    ),
    torchvision="FashionMNIST",
)

KMNIST: Final = Source(
    name="kmnist",
    description="60,000 + 10,000 cursive Japanese characters of ten kinds, 28x28 (Clanuwat et al. "
    "2018)",
    licence="CC BY-SA 4.0",
    files=published_md5(
        _NAMES,
        (
            "bdb82020997e1d708af4cf47b453dcf7",
            "e144d726b3acfaa3e44228e80efcd344",
            "5c965bf0a639b31b8f53240b1b52f4d7",
            "7320c461ea6c1c855c0b718fb2a4b134",
        ),
    ),
    mirrors=("http://codh.rois.ac.jp/kmnist/dataset/kmnist/",),
    class_names=("o", "ki", "su", "tsu", "na", "ha", "ma", "ya", "re", "wo"),
    torchvision="KMNIST",
)

QMNIST: Final = Source(
    name="qmnist",
    description="MNIST rebuilt with 60,000 test digits, 28x28 (Yadav, Bottou 2019)",
    licence="BSD 3-Clause",
    files=published_md5(
        (
            "qmnist-train-images-idx3-ubyte",
            "qmnist-train-labels-idx2-int",
            "qmnist-test-images-idx3-ubyte",
            "qmnist-test-labels-idx2-int",
        ),
        (
            "ed72d4157d28c017586c42bc6afe6370",
            "0058f8dd561b90ffdd0f734c6a30e5e4",
            "1394631089c404de565df7b7aeaf9412",
            "5b5b05890a5e13444e108efe57b788aa",
        ),
    ),
    mirrors=("https://raw.githubusercontent.com/facebookresearch/qmnist/master/",),
    torchvision="QMNIST",
)

SOURCES: Final = {source.name: source for source in (MNIST, DIGITS, QMNIST, FASHION_MNIST, KMNIST)}
