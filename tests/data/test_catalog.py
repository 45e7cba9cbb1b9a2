"""The catalogue: MNIST's checksums and mirrors."""

from cnn_mnist.data.catalog import ANY_IDX, DIGITS, MNIST, SOURCES


def test_the_checksums_of_mnist_are_these() -> None:
    assert {file.name: (file.dimensions, file.sha256[:8]) for file in MNIST.files} == {
        "train-images-idx3-ubyte": (3, "ba891046"),
        "train-labels-idx1-ubyte": (1, "65a50cbb"),
        "t10k-images-idx3-ubyte": (3, "0fa7898d"),
        "t10k-labels-idx1-ubyte": (1, "ff7bcfd4"),
    }
    assert all(len(file.sha256) == 64 for file in MNIST.files)


def test_the_mirrors_are_pytorchs_then_tensorflows_then_azures() -> None:
    assert [mirror.split("/")[2].partition(".")[0] for mirror in MNIST.mirrors] == [
        "ossci-datasets",
        "storage",
        "azureopendatastorage",
    ]
    assert all(url.startswith("https://") and url.endswith("/mnist/") for url in MNIST.mirrors)


def test_a_file_is_looked_for_under_both_spellings_plain_and_compressed() -> None:
    assert set(ANY_IDX[2].spellings) == {
        "t10k-images-idx3-ubyte",
        "t10k-images-idx3-ubyte.gz",
        "t10k-images.idx3-ubyte",
        "t10k-images.idx3-ubyte.gz",
    }


def test_a_users_own_files_may_have_any_content() -> None:
    assert {file.sha256 for file in ANY_IDX} == {None}
    assert [file.name for file in ANY_IDX] == [file.name for file in MNIST.files]


def test_every_data_set_has_a_name_a_description_and_a_licence() -> None:
    assert SOURCES == {"mnist": MNIST, "digits": DIGITS}
    assert all(source.description and source.licence for source in SOURCES.values())
