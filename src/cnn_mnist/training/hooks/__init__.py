"""Watch a run: show its progress, keep its metrics, log its tensors.

A hook is any object of class `Hook`; each method does nothing unless overridden. Hooks look and
never touch: the weights of a run are the same with any hooks or none. A hook that the command line
finds by name is a function `(run: Run) -> Hook`, registered with `@HOOKS.register("name")` in a
file of this folder.
"""

from cnn_mnist.training.hooks.hook import HOOKS, Hook, Start, Step, wrap_hook_errors
from cnn_mnist.training.hooks.json_lines import JsonLines
from cnn_mnist.training.hooks.log_tensors import LogTensors
from cnn_mnist.training.hooks.progress import PlainProgress, ProgressBar
from cnn_mnist.training.hooks.tensorboard import TensorBoard

__all__ = [
    "HOOKS",
    "Hook",
    "JsonLines",
    "LogTensors",
    "PlainProgress",
    "ProgressBar",
    "Start",
    "Step",
    "TensorBoard",
    "wrap_hook_errors",
]
