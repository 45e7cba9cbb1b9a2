"""Test the settings of the server: the token stays secret."""

import os
import pickle
import warnings
from pathlib import Path

import pytest

from cnn_mnist.errors import CnnMnistWarning, ServeError
from cnn_mnist.serve.settings import Settings, read_token


def test_the_token_is_not_shown_with_the_settings() -> None:
    settings = Settings(token="a-secret")
    assert "a-secret" not in repr(settings) + str(settings) + f"{settings}"
    assert pickle.loads(pickle.dumps(settings)).token == "a-secret"  # for worker processes


@pytest.mark.skipif(os.name != "posix", reason="other systems have no such permissions")
@pytest.mark.parametrize(
    ("mode", "warned"),
    [(0o600, False), (0o400, False), (0o644, True), (0o604, True), (0o640, True), (0o444, True)],
)
def test_a_token_file_that_others_can_read_is_warned_of(
    tmp_path: Path, mode: int, warned: bool
) -> None:
    file = tmp_path / "token"
    file.write_text("a-secret\n")
    file.chmod(mode)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        assert read_token(file) == "a-secret"
    assert [warning.category for warning in caught] == [CnnMnistWarning] * warned
    for warning in caught:
        assert f"chmod 600 {file}" in str(warning.message)
        assert "a-secret" not in str(warning.message)


@pytest.mark.skipif(not Path("/dev/zero").exists(), reason="the system has no such file")
def test_a_token_file_without_an_end_is_refused() -> None:
    with pytest.raises(ServeError, match="not a token file"):
        read_token(Path("/dev/zero"))
