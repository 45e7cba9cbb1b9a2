"""Load the data set of a run again, from where the run remembers that it was read."""

from pathlib import Path
from typing import TYPE_CHECKING

from cnn_mnist.errors import DataError, RunError

if TYPE_CHECKING:
    from cnn_mnist.data.dataset import Dataset
    from cnn_mnist.runs.identity import Identity


def load_again(identity: "Identity", data_dir: Path | None, what: object) -> "Dataset":
    """Load the data set that a run was trained on; of a recipe with `replay`, the mix.

    Args:
        identity: of the run.
        data_dir: see `cnn_mnist.reading.training_pictures.load`.
        what: the run, as the subject of messages.

    Raises:
        RunError: it is not known where the data set is, it is not there any more, or it is another
            one now.
        DataError: it has a name and cannot be loaded.
    """
    from cnn_mnist.data.mix import with_replay
    from cnn_mnist.reading.training_pictures import load
    from cnn_mnist.runs.identity import data_of_run

    own, replay = load_own(identity, data_dir, what), identity.recipe.replay
    known = load("auto", data_dir) if replay else None
    return data_of_run(what, identity, with_replay(own, replay, known), asked=False)


def load_own(identity: "Identity", data_dir: Path | None, what: object) -> "Dataset":
    """Load what the person named who trained a run, without what its recipe mixes in.

    Raises:
        RunError: it is not known where that is, or it is not there any more.
        DataError: see `load_again`.
    """
    from cnn_mnist.data.layouts import parse
    from cnn_mnist.reading.training_pictures import load
    from cnn_mnist.runs.identity import data_source

    name, as_is = data_source(identity, what)
    if identity.origin is None:
        return load(name, data_dir)
    where = f"{what} was trained on the data set in {name}"
    if not parse(name)[0].exists():
        raise RunError(f"{where}, which does not exist any more: say where it is with --data")
    try:
        return load(name, as_is=as_is)
    except DataError as error:
        raise RunError(
            f"{where}, which cannot be read any more ({error}): say with --data where its data is"
        ) from error
