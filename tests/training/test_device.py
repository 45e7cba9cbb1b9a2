"""Which device is computed on."""

import pytest
import torch

from cnn_mnist.errors import RunError
from cnn_mnist.training.device import choose_device
from cnn_mnist.training.distributed import Group


@pytest.mark.parametrize(
    ("cuda", "mps", "workers", "expected"),
    [
        (True, True, 1, "cuda:0"),
        (False, True, 1, "mps"),
        (False, True, 2, "cpu"),
        (False, False, 1, "cpu"),
    ],
)
def test_auto_takes_cuda_then_mps_then_the_cpu(
    cuda: bool, mps: bool, workers: int, expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: cuda)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: mps)
    assert str(choose_device("auto", Group(size=workers))) == expected


def test_an_apple_gpu_that_is_not_there_or_cannot_be_shared_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    with pytest.raises(RunError, match=r"finds no Apple GPU \(mps\): use --device cpu"):
        choose_device("mps", Group())
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    with pytest.raises(RunError, match="2 workers cannot share Apple's GPU"):
        choose_device("mps", Group(size=2))
