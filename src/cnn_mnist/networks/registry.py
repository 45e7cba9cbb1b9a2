"""Find the networks by name."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Final, TypeAlias

from cnn_mnist.registry import Registry

if TYPE_CHECKING:
    from torch import nn

Network: TypeAlias = "Callable[..., nn.Module]"
"""`(classes: int, *, dropout: float) -> nn.Module`; see the package's docstring."""

NETWORKS: Final[Registry[Network]] = Registry(
    "network", "cnn_mnist.networks", "--network {name}, or in Python with network="
)
