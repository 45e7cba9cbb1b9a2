"""The catalogue: MNIST's checksums and mirrors."""

from pathlib import Path

from cnn_mnist.data.catalog import ANY_IDX, FASHION_MNIST, KMNIST, MNIST, QMNIST, SOURCES


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
    assert list(SOURCES) == ["mnist", "digits", "qmnist", "fashion-mnist", "kmnist"]
    assert all(source.description and source.licence for source in SOURCES.values())


def test_the_md5_of_the_others_are_those_that_torchvision_publishes() -> None:
    published = {
        FASHION_MNIST: ("8d4fb7e6", "25c81989", "bef4ecab", "bb300cfd"),
        KMNIST: ("bdb82020", "e144d726", "5c965bf0", "7320c461"),
        QMNIST: ("ed72d415", "0058f8dd", "13946310", "5b5b0589"),
    }
    for source, hashes in published.items():
        assert tuple(file.md5[:8] for file in source.files if file.md5) == hashes
        assert all(len(file.md5) == 32 for file in source.files if file.md5)
        assert all(file.sha256 is None for file in source.files)
    assert [file.dimensions for file in QMNIST.files] == [3, 2, 3, 2]
    assert QMNIST.files[3].name == "qmnist-test-labels-idx2-int"


def test_each_source_has_ten_class_names_or_none() -> None:
    assert {len(source.class_names) for source in SOURCES.values()} == {0, 10}


def test_a_folder_of_the_files_name_is_looked_into(tmp_path: Path) -> None:
    inside = tmp_path / "t10k-images-idx3-ubyte" / "t10k-images.idx3-ubyte"
    inside.parent.mkdir()
    assert ANY_IDX[2].find_in(tmp_path) == []
    inside.touch()
    assert ANY_IDX[2].find_in(tmp_path) == [inside]
