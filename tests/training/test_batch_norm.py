"""The batch-norm statistics at the end of a training."""

from pathlib import Path

import numpy as np
import pytest
import torch
from tiny import hashes, tiny_dataset, tiny_recipe, tiny_split, trained
from tiny import one_thread as one_thread  # a fixture of every test here

from cnn_mnist.data.dataset import Split
from cnn_mnist.training.trainer import Trainer


def test_at_the_end_the_statistics_are_those_of_the_images_as_they_are(tmp_path: Path) -> None:
    trainer = trained(tmp_path, network="cnn-bn", steps=3, augmentation="affine", dropout=0.4)
    images = torch.from_numpy(tiny_dataset().train.images / np.float32(255))[:, None]
    with torch.no_grad():
        pooled = trainer.model.pool1(trainer.model.conv1(images))
    norm = trainer.model.norm1
    torch.testing.assert_close(norm.running_mean, pooled.mean(dim=(0, 2, 3)))
    torch.testing.assert_close(norm.running_var, pooled.var(dim=(0, 2, 3)))
    assert norm.momentum == 0.1
    assert all(layer.training for layer in trainer.model.modules())


@pytest.mark.parametrize("augmentation", ["affine", "none"])
def test_each_checkpoint_is_that_of_a_run_that_ends_there(
    augmentation: str, tmp_path: Path
) -> None:
    changes = {"network": "cnn-bn", "augmentation": augmentation, "checkpoint_every": 2}
    trained(tmp_path / "longer", steps=4, **changes)
    trained(tmp_path / "shorter", steps=2, **changes)
    assert hashes(tmp_path / "longer", 2) == hashes(tmp_path / "shorter", 2)


def test_the_statistics_at_the_end_are_those_of_images_from_everywhere() -> None:
    split = tiny_split(501)
    recipe = tiny_recipe(network="cnn-bn", augmentation="affine")
    in_order = Split(split.images[np.argsort(split.labels)], np.sort(split.labels))
    seen: list[torch.Tensor] = []
    with pytest.MonkeyPatch.context() as patch:
        # one more than a batch: a batch of one has no deviation
        patch.setattr("cnn_mnist.training.batch_norm._MAX_IMAGES", 101)
        patch.setattr("cnn_mnist.training.batch_norm._BATCH", 100)
        trainer = Trainer(recipe, in_order, 10, seed=0, device="cpu")
        trainer.model.register_forward_pre_hook(lambda model, inputs: seen.append(inputs[0]))
        trainer.finish()
    assert [len(batch) for batch in seen] == [51, 50]
    originals = torch.from_numpy(in_order.images).unsqueeze(1) / 255
    places = [
        int((originals == image).all(dim=(1, 2, 3)).nonzero()[0]) for image in torch.cat(seen)
    ]
    assert {int(in_order.labels[place]) for place in places} == set(range(10))
