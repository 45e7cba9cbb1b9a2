"""Watch a run: show its progress, keep its metrics, log its tensors.

A hook is any object of class `Hook`; each method does nothing unless overridden. Hooks look and
never touch: the weights of each step of a run are the same with any hooks or none. All that they
may do is ask for a stop (`Start.request_stop`). A hook that the command line finds by name is a
function `(run: Run) -> Hook`, registered with `@HOOKS.register("name")` in a file of this folder.
"""

from cnn_mnist.training.hooks.early_stopping import EarlyStopping
from cnn_mnist.training.hooks.hook import HOOKS, End, Hook, Start, Step, require_end_argument
from cnn_mnist.training.hooks.json_lines import JsonLines
from cnn_mnist.training.hooks.log_tensors import LogTensors
from cnn_mnist.training.hooks.own import make_hook
from cnn_mnist.training.hooks.progress import PlainProgress, ProgressBar
from cnn_mnist.training.hooks.tensorboard import TensorBoard
from cnn_mnist.training.hooks.watchers import Watchers

__all__ = [
    "HOOKS",
    "EarlyStopping",
    "End",
    "Hook",
    "JsonLines",
    "LogTensors",
    "PlainProgress",
    "ProgressBar",
    "Start",
    "Step",
    "TensorBoard",
    "Watchers",
    "make_hook",
    "require_end_argument",
]
