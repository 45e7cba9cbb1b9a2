"""Classes are digits where their names say so, or where nobody named them."""

import pytest

from cnn_mnist.data.class_names import are_digits, default_names


@pytest.mark.parametrize(
    "names",
    [default_names(10), default_names(27), ("3", "7"), ("9", "0", "1"), ("5",), default_names(1)],
)
def test_digits_and_classes_without_names_are_digits(names: tuple[str, ...]) -> None:
    assert are_digits(names)


@pytest.mark.parametrize(
    "names",
    [
        ("cat", "dog"),
        tuple("ABCDEFGHIJ"),
        tuple("0123456789ABCDEF"),
        ("1", "x"),
        ("7", "12"),
        ("zero", "one"),
        tuple(reversed(default_names(11))),
    ],
)
def test_other_names_are_those_of_other_things(names: tuple[str, ...]) -> None:
    assert not are_digits(names)
