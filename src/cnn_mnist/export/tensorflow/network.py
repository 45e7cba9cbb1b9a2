"""Build a network from Keras layers, with the tutorial's layer names and NHWC images."""

from itertools import groupby
from typing import Any

from torch import nn

from cnn_mnist.data.dataset import IMAGE_SIZE
from cnn_mnist.export.tensorflow.library import quiet, tensorflow
from cnn_mnist.export.tensorflow.variables import names, tensors
from cnn_mnist.networks.custom_layers import Crop, GlobalPool


def keras_network(model: nn.Module) -> Any:
    """Return the same network as a `keras.Sequential`, with copies of the weights.

    It maps `images` `(N, 28, 28, 1) float32 in [0, 1]` to logits `(N, classes)`.

    Raises:
        ExportError: a layer has no counterpart, see `variables.names`.
        MissingExtraError: TensorFlow is not installed.
    """
    keras = tensorflow().keras
    activated = _activated(model)
    with quiet():
        network = keras.Sequential(
            [keras.Input((IMAGE_SIZE, IMAGE_SIZE, 1), name="images")], name="cnn_mnist"
        )
        for own, name in names(model).items():
            if own not in activated.values():
                activation = "relu" if own in activated else None
                layer = model.get_submodule(own)
                network.add(_layer(keras, network, layer, name=name, activation=activation))
        for name, weights in groupby(tensors(model).items(), key=_layer_name):
            network.get_layer(name).set_weights([weight for _, weight in weights])
    return network


def _activated(model: nn.Module) -> dict[str, str]:
    """Return the layers that get their ReLU as `activation`, as in the tutorial: ReLU by layer.

    A ReLU behind max-pooling moves in front of it; the values stay the same, since ReLU and maximum
    can be exchanged.
    """
    activated = {}
    owner = None
    for name, layer in model.named_children():
        if isinstance(layer, nn.Conv2d | nn.Linear):
            owner = name
        elif isinstance(layer, nn.ReLU) and owner is not None:
            activated[owner] = name
        if not isinstance(layer, nn.Conv2d | nn.Linear | nn.MaxPool2d):
            owner = None
    return activated


def _layer(keras: Any, before: Any, layer: nn.Module, *, name: str, activation: str | None) -> Any:
    """Return the Keras counterpart of a layer.

    Args:
        keras: the module.
        before: the Keras network so far, whose output the layer takes.
        layer: of a kind in `variables.KINDS`.
        name: of the Keras layer.
        activation: `relu` or None, for a convolution or a dense layer.
    """
    layers = keras.layers
    match layer:
        case nn.Conv2d():
            return layers.Conv2D(
                layer.out_channels,
                layer.kernel_size,
                strides=layer.stride,
                padding="same" if any(layer.padding) else "valid",
                use_bias=layer.bias is not None,
                activation=activation,
                name=name,
            )
        case nn.Linear():
            return layers.Dense(
                layer.out_features,
                use_bias=layer.bias is not None,
                activation=activation,
                name=name,
            )
        case nn.BatchNorm1d() | nn.BatchNorm2d():
            assert layer.momentum is not None
            return layers.BatchNormalization(
                momentum=1 - layer.momentum, epsilon=layer.eps, name=name
            )
        case nn.MaxPool2d():
            return layers.MaxPooling2D(layer.kernel_size, layer.stride, name=name)
        case nn.AvgPool2d():
            return layers.AveragePooling2D(layer.kernel_size, layer.stride, name=name)
        case GlobalPool():  # Keras has no such layer: two of its layers in a network of their own
            values = keras.Input(before.output_shape[1:])
            pools = layers.GlobalMaxPooling2D()(values), layers.GlobalAveragePooling2D()(values)
            return keras.Model(values, layers.Concatenate()(pools), name=name)
        case nn.Dropout():
            return layers.Dropout(layer.p, name=name)
        case Crop():
            return layers.Cropping2D(layer.border, name=name)
        case nn.Flatten():
            return layers.Flatten(name=name)
        case _:
            return layers.ReLU(name=name)


def _layer_name(tensor: tuple[str, Any]) -> str:
    return tensor[0].partition("/")[0]
