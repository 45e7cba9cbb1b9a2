"""A reading gives its digits names and joins them to a text."""

import numpy as np
import pytest

from cnn_mnist.reading.result import Digit, Reading

BLANK = np.zeros((28, 28), np.float32)


def digit(class_: int, names: tuple[str, ...] = (), *, refused: bool = False) -> Digit:
    """Make a digit of ten classes."""
    row = np.zeros(10, np.float32)
    row[class_] = 1
    reason = "dirt" if refused else None
    return Digit.of(row, (0, 0, 28, 28), BLANK, reason, class_names=names)


def read(*lines: list[int], names: tuple[str, ...] = ()) -> Reading:
    return Reading(lines=tuple(tuple(digit(class_, names) for class_ in line) for line in lines))


def test_the_name_of_a_class_without_names_is_its_number_and_json_has_no_name() -> None:
    assert digit(7).name == "7"
    assert digit(7, tuple("0123456789")).to_dict().keys() == digit(7).to_dict().keys()
    assert "name" not in digit(7).to_dict()
    assert read([1, 2], [3]).text == "123"


def test_named_classes_are_named_in_json_beside_their_number() -> None:
    values = digit(2, tuple("ABCDEFGHIJ")).to_dict()
    assert (values["class"], values["name"]) == (2, "C")


def test_a_refused_candidate_has_no_name() -> None:
    refused = digit(2, tuple("ABCDEFGHIJ"), refused=True)
    assert refused.name is None
    assert refused.to_dict()["name"] is None
    assert Reading(lines=((refused, digit(0)),)).text == "0"


@pytest.mark.parametrize(
    ("names", "text", "lines"),
    [
        (tuple("ABCDEFGHIJ"), "ABC", ("AB", "C")),
        (("zero", "one", *"CDEFGHIJ"), "zero one C", ("zero one", "C")),
        ((*"ABCDEFGHI", "ten"), "A B C", ("A B", "C")),
    ],
)
def test_names_of_one_character_are_joined_and_longer_ones_have_a_space_between(
    names: tuple[str, ...], text: str, lines: tuple[str, ...]
) -> None:
    reading = read([0, 1], [2], names=names)
    assert reading.text == reading.to_dict()["text"] == text
    assert reading.text_lines == lines
    assert reading.to_dict("\n")["text"] == "\n".join(lines)


def test_numbers_of_two_digits_have_a_space_between() -> None:
    row = np.eye(12, dtype=np.float32)[[1, 11]]
    digits = tuple(Digit.of(each, (0, 0, 28, 28), BLANK) for each in row)
    assert Reading(lines=(digits,)).text == "1 11"


def test_a_reading_without_digits_has_no_text() -> None:
    assert (Reading(lines=()).text, Reading(lines=()).text_lines) == ("", ())
