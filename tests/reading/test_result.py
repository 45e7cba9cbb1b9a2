"""A reading gives its digits names and joins them to a text."""

import numpy as np
import pytest

from cnn_mnist.reading.result import Digit, Field, Reading

BLANK = np.zeros((28, 28), np.float32)


def digit(class_: int, names: tuple[str, ...] = (), *, refused: bool = False) -> Digit:
    """Make a digit of ten classes."""
    row = np.zeros(10, np.float32)
    row[class_] = 1
    reason = "dirt" if refused else None
    return Digit.of(row, (0, 0, 28, 28), BLANK, reason, class_names=names)


def sign(character: str, reason: str | None = None) -> Digit:
    """Make a sign that the network takes for a 1."""
    row = np.eye(10, dtype=np.float32)[1]
    return Digit.of(row, (0, 0, 28, 28), BLANK, reason, sign=character)


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


# --- signs, fields, turned pictures


def test_a_sign_has_no_class_and_is_itself_in_the_text() -> None:
    point = sign(".")
    assert (point.class_, point.name, point.sign) == (None, ".", ".")
    values = point.to_dict()
    assert (values["class"], values["sign"]) == (None, ".")
    assert "reason" not in values
    assert "sign" not in digit(3).to_dict()
    assert Reading(lines=((digit(3), point, digit(1)),)).text == "3.1"


def test_a_refused_sign_is_not_in_the_text_but_says_which_it_is() -> None:
    refused = sign("-", "dirt")
    assert refused.name is None
    assert (refused.to_dict()["sign"], refused.to_dict()["reason"]) == ("-", "dirt")
    assert Reading(lines=((refused, digit(1)),)).text == "1"


def field(column: int, *digits: Digit) -> Field:
    return Field(row=2, column=column, box=(10, 20, 30, 40), digits=digits)


def test_a_field_has_the_text_of_what_stands_in_it() -> None:
    filled = field(3, sign("-"), digit(4), digit(2), digit(7, refused=True))
    assert filled.text == "-42"
    assert filled.to_dict() == {"row": 2, "column": 3, "text": "-42", "box": [10, 20, 30, 40]}
    assert field(1).text == ""
    named = ("zero", "one", *"CDEFGHIJ")
    assert field(1, digit(1, named), digit(0, named)).text == "one zero"


def test_fields_are_in_json_where_they_were_asked_for() -> None:
    line = (digit(4),)
    asked = Reading(lines=(line,), fields=(field(1, *line), field(2)))
    assert [each["text"] for each in asked.to_dict()["fields"]] == ["4", ""]
    assert Reading(lines=(line,), fields=()).to_dict()["fields"] == []
    assert "fields" not in Reading(lines=(line,)).to_dict()


def test_how_a_picture_was_turned_is_in_json_only_where_it_was() -> None:
    assert Reading(lines=(), turned=90).to_dict()["turned"] == 90
    assert "turned" not in Reading(lines=()).to_dict()
