"""Train what finds the digits of a picture: the detector, and the network that masks their ink.

    pip install Hershey-Fonts matplotlib
    python tools/train_finder.py WORK QMNIST > benchmarks/results/finder.json

Both are trained on scenes (scenes.py) that are drawn while they are trained, of MNIST's training
images, by one writer where possible. Scenes of MNIST's validation images choose the score from
which on a digit is accepted. No photograph and no test image is used. WORK is a folder for
checkpoints: a training that was stopped goes on. QMNIST is `qmnist-train-labels-idx2-int.gz`, which
says who wrote each image. Writes `src/cnn_mnist/reading/detector.onnx` and `ink.onnx`. The last
line of standard output is one JSON object.
"""

import argparse
import copy
import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from detector_network import DetectorNetwork, targets
from detector_network import loss as detector_loss
from export_finder import export
from ink_network import InkNetwork, example
from ink_network import loss as ink_loss
from scene_digits import DigitStock
from scenes import draw_scene
from torch import nn
from torch.utils.data import DataLoader, IterableDataset

from cnn_mnist import load
from cnn_mnist.data.idx import read_int32
from cnn_mnist.machine import machine, versions
from cnn_mnist.reading.detector import LETTER
from cnn_mnist.reading.grey import normalise

SEED = 0
STEPS, BATCH_SIZE = 13_000, 64
PLAIN = 7_000
"""Steps at first on scenes of paper alone; afterwards they are `varied`, see scenes.py."""
RATE, WARM_UP = 2e-3, 500
KEEP = 0.9995
"""Decay of the running mean of the weights."""
EVERY = 250
"""Steps from checkpoint to checkpoint."""
THINNED = 12_000
"""Images of which the middle of the strokes is computed, for other pens."""

Sample = dict[str, Any]


class Scenes(IterableDataset[Sample]):
    """Draw batch after batch of scenes, each scene from a seed of its own."""

    def __init__(self, stock: DigitStock, start: int) -> None:
        self._stock, self._start = stock, start

    def __iter__(self) -> Iterator[Sample]:
        """Yield batches; workers take turns."""
        cv2.setNumThreads(1)
        info = torch.utils.data.get_worker_info()
        worker, workers = (info.id, info.num_workers) if info else (0, 1)
        batch = self._start + worker
        while True:
            numbers = range(batch * BATCH_SIZE, (batch + 1) * BATCH_SIZE)
            yield collate([sample(self._stock, number) for number in numbers])
            batch += workers


def sample(stock: DigitStock, number: int) -> Sample:
    """Draw scene `number` with its targets, and the crops of at most two of its digits."""
    generator = np.random.default_rng([SEED, number])
    scene = draw_scene(stock, generator, varied=number >= PLAIN * BATCH_SIZE)
    digits = [mark for mark in scene.marks if mark.class_ < LETTER]
    chosen = generator.permutation(len(digits))[:2]
    crops = [example(scene.picture, digits[index], generator) for index in chosen]
    return {"picture": normalise(scene.picture), "crops": crops, **targets(scene)}


def collate(samples: list[Sample]) -> Sample:
    """Put samples into one batch."""
    batch = {
        key: torch.from_numpy(np.stack([sample[key] for sample in samples]))
        for key in ("picture", "heat", "boxes", "inside", "asked")
    }
    crops = [pair for sample in samples for pair in sample["crops"]]
    for place, key in enumerate(("crop", "ink")):
        batch[key] = torch.from_numpy(np.stack([pair[place] for pair in crops]))[:, None]
    return batch


class Training:
    """The two networks, the running means of their weights, and the optimizer."""

    def __init__(self, steps: int) -> None:
        torch.manual_seed(SEED)
        self.networks = nn.ModuleDict({"detector": DetectorNetwork(), "ink": InkNetwork()})
        self.networks.to(memory_format=torch.channels_last)
        self.mean = copy.deepcopy(self.networks)
        self.optimizer = torch.optim.AdamW(self.networks.parameters(), RATE, weight_decay=1e-3)
        self.schedule = torch.optim.lr_scheduler.SequentialLR(
            self.optimizer,
            [
                torch.optim.lr_scheduler.LinearLR(self.optimizer, 0.05, total_iters=WARM_UP),
                torch.optim.lr_scheduler.CosineAnnealingLR(self.optimizer, steps - WARM_UP),
            ],
            [WARM_UP],
        )
        self.step = 0

    def update(self, batch: Sample) -> tuple[float, float]:
        """Do one step; return both losses."""
        self.networks.train()
        inputs = {
            "detector": batch["picture"][:, None].contiguous(memory_format=torch.channels_last),
            "ink": batch["crop"].contiguous(memory_format=torch.channels_last),
        }
        with torch.autocast("cpu", torch.bfloat16):
            found, masked = (self.networks[name](values) for name, values in inputs.items())
        losses = detector_loss(found, batch), ink_loss(masked, batch["ink"])
        self.optimizer.zero_grad()
        (losses[0] + 4 * losses[1]).backward()
        nn.utils.clip_grad_norm_(self.networks.parameters(), 10.0)
        self.optimizer.step()
        self.schedule.step()
        self.step += 1
        self._average()
        return losses[0].item(), losses[1].item()

    @torch.no_grad()
    def _average(self) -> None:
        """Move the running mean of the weights; it forgets the beginning."""
        keep = min(KEEP, (self.step + 1) / (self.step + 10))
        for mean, value in zip(
            self.mean.state_dict().values(), self.networks.state_dict().values(), strict=True
        ):
            if mean.is_floating_point():
                mean.lerp_(value, 1 - keep)
            else:
                mean.copy_(value)

    def state(self) -> dict[str, Any]:
        """Return what a checkpoint keeps."""
        parts = ("networks", "mean", "optimizer", "schedule")
        return {part: getattr(self, part).state_dict() for part in parts} | {"step": self.step}

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from a checkpoint."""
        for part in ("networks", "mean", "optimizer", "schedule"):
            getattr(self, part).load_state_dict(state[part])
        self.step = state["step"]


def stocks(writers: Path) -> tuple[DigitStock, DigitStock]:
    """Return MNIST's training and validation images with their writers."""
    rows, dataset = read_int32(writers, dimensions=2), load("mnist")
    labels = np.concatenate([dataset.validation.labels, dataset.train.labels])
    if (rows[:, 0] != labels).any():
        sys.exit(f"{writers} does not describe MNIST's training images")
    generator, first = np.random.default_rng(SEED), len(dataset.validation.labels)
    validation, train = dataset.validation, dataset.train
    return (
        DigitStock(train.images, train.labels, rows[first:, 2], generator, THINNED),
        DigitStock(validation.images, validation.labels, rows[:first, 2], generator, THINNED // 10),
    )


def fit(training: Training, stock: DigitStock, steps: int, checkpoint: Path, workers: int) -> None:
    """Train to a step, with a checkpoint now and then."""
    scenes = Scenes(stock, training.step)
    loader = DataLoader(scenes, batch_size=None, num_workers=workers, prefetch_factor=4)
    batches, began, sums = iter(loader), time.perf_counter(), np.zeros(2)
    while training.step < steps:
        sums += training.update(next(batches))
        if training.step % 100 == 0:
            passed = time.perf_counter() - began
            print(f"step {training.step}: losses {sums / 100}, {passed:.0f} s", file=sys.stderr)
            sums[:] = 0
        if training.step % EVERY == 0:
            torch.save(training.state(), checkpoint.with_suffix(".tmp"))
            checkpoint.with_suffix(".tmp").replace(checkpoint)


def main() -> None:
    """Train, choose the least score, write the networks, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("work", type=Path)
    parser.add_argument("writers", type=Path, help="qmnist-train-labels-idx2-int.gz")
    parser.add_argument("--steps", type=int, default=STEPS)
    parser.add_argument("--workers", type=int, default=1)
    arguments = parser.parse_args()
    arguments.work.mkdir(exist_ok=True)
    checkpoint = arguments.work / "training.pt"
    torch.set_num_threads(1)
    training = Training(arguments.steps)
    if checkpoint.exists():
        training.restore(torch.load(checkpoint, weights_only=True))
    train, validation = stocks(arguments.writers)
    fit(training, train, arguments.steps, checkpoint, arguments.workers)
    result = export(training.mean["detector"], training.mean["ink"], validation, SEED)
    about = {"steps": training.step, "versions": versions(), "machine": machine()}
    print(json.dumps(result | about))


if __name__ == "__main__":
    main()
