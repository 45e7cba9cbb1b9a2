"""Write the images that a network gets wrong: each as a picture in a folder, or all as JSON."""

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from cnn_mnist.data.dataset import Split
from cnn_mnist.errors import ExportError, os_errors_as
from cnn_mnist.evaluation.mistake_sheet import Mistake, enlarged
from cnn_mnist.evaluation.softmax import softmax
from cnn_mnist.files import replace, replace_with

_NAME: Final = re.compile(r".+-as-.+-\d+\.png")


def write_mistake_folder(
    mistakes: Sequence[Mistake], split: Split, folder: Path, class_names: Sequence[str]
) -> None:
    """Write each misread image as `LABEL-as-PREDICTED-INDEX.png`, its pixels 4x4.

    A folder that holds such pictures only is replaced.

    Args:
        mistakes: in `split`.
        split: holds the images.
        folder: the folder to create or replace.
        class_names: of each class; what may not stand in a file name becomes `-`.

    Raises:
        ExportError: the folder holds something else, or it cannot be written.
    """
    names = [re.sub(r"[^\w.+ ]+", "-", name)[:30] for name in class_names]
    made = {
        f"{names[mistake.label]}-as-{names[mistake.prediction]}-{mistake.index:05d}.png": mistake
        for mistake in mistakes
    }
    before: set[str] = set()

    def make(new: Path) -> None:
        new.mkdir()
        for name, mistake in made.items():
            enlarged(split.images[mistake.index]).save(new / name)
        for outdated in before - made.keys():  # only now that every new picture is there
            (folder / outdated).unlink()

    with os_errors_as(ExportError, f"{folder} cannot be written"):
        if folder.exists():
            before.update(path.name for path in folder.iterdir())
        if others := sorted(name for name in before if not _NAME.fullmatch(name)):
            raise ExportError(
                f"{folder} holds {others[0]}, which is not a picture of a mistake: choose another "
                "folder"
            )
        replace_with(folder, make)


def write_mistake_list(
    mistakes: Sequence[Mistake],
    logits: npt.NDArray[np.float32],
    path: Path,
    class_names: Sequence[str],
) -> None:
    """Write misread images as a JSON list of objects.

    Each has `index` (in the split), `label`, `predicted`, the `probability` of what was predicted
    and the `probabilities` of all classes; and `label_name` and `predicted_name`, where the classes
    have other names than their numbers.

    Args:
        mistakes: in the order of the list.
        logits: `(N, classes)`, of every image of the split.
        path: the file to create or replace.
        class_names: of each class.

    Raises:
        ExportError: it cannot be written.
    """
    rows = []
    for mistake in mistakes:
        row: dict[str, object] = {
            "index": mistake.index,
            "label": mistake.label,
            "predicted": mistake.prediction,
            "probability": mistake.probability,
            "probabilities": softmax(logits[mistake.index]).tolist(),
        }
        for key, number in (("label", mistake.label), ("predicted", mistake.prediction)):
            if class_names[number] != str(number):
                row[f"{key}_name"] = class_names[number]
        rows.append(row)
    with os_errors_as(ExportError, f"{path} cannot be written"):
        replace(path, (json.dumps(rows, indent=1, allow_nan=False) + "\n").encode())
