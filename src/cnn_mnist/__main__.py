"""`python -m cnn_mnist` is `cnn-mnist`."""

from cnn_mnist.cli import main

main()
