"""Define the networks: one file each, `build` to make one by name, and the table of its layers.

A network is a function `(classes, *, dropout) -> torch.nn.Module`: images
`(B, 1, 28, 28) float32 in [0, 1]` to logits `(B, classes)`. It becomes known by name with
`@NETWORKS.register("name")` in a file of this folder. `table` needs no torch.
"""

from cnn_mnist.networks.registry import NETWORKS, Network

__all__ = ["NETWORKS", "Network"]
