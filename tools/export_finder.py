"""Export the detector and the ink network as ONNX, with the least score of a digit.

It is chosen on scenes of MNIST's validation images that `cnn_mnist.reading` reads as it reads any
picture: the score at which precision and recall of digits are best together (F1).
"""

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import onnx
import torch
import torch.nn.functional as F
from scene_canvas import Mark
from scene_digits import DigitStock
from scenes import draw_scene
from torch import Tensor, nn

from cnn_mnist.inference.model import BUNDLED, Model
from cnn_mnist.reading.detector import DETECTOR, LETTER, Detector
from cnn_mnist.reading.detector import Mark as Found
from cnn_mnist.reading.ink import INK_MASK, SIDE, InkMask, image_of_ink

SCENES = 1_500
"""Of validation images, that choose the least score."""
SCORES = np.arange(0.15, 0.91, 0.05)
_SAME = 0.5  # of the union of two boxes: then a digit was found


class _Peaks(nn.Module):
    """Add to the detector what makes scores of logits, and only keeps their peaks."""

    def __init__(self, detector: nn.Module) -> None:
        super().__init__()
        self.detector = detector

    def forward(self, pictures: Tensor) -> tuple[Tensor, Tensor]:
        logits, boxes = self.detector(pictures)
        scores = logits.sigmoid()
        surest = scores.amax(dim=1, keepdim=True)
        return scores * (surest == F.max_pool2d(surest, 3, 1, 1)), boxes


class _Ink(nn.Module):
    """Add the sigmoid to the ink network."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, crops: Tensor) -> Tensor:
        return torch.sigmoid(self.network(crops))


def export(detector: nn.Module, ink: nn.Module, stock: DigitStock, seed: int) -> dict[str, Any]:
    """Write both networks; return how they read scenes of a stock of validation images."""
    sides = {
        2 + axis: 16 * torch.export.Dim(name, min=2, max=128) for axis, name in enumerate("hw")
    }
    peaks, pictures = _Peaks(detector), torch.zeros(1, 1, 128, 192)
    _write(peaks, pictures, DETECTOR, "pictures", ("scores", "boxes"), sides)
    count = {0: torch.export.Dim("count", min=1, max=512)}
    _write(_Ink(ink), torch.zeros(3, 1, SIDE, SIDE), INK_MASK, "crops", ("ink",), count)
    result = validate(stock, seed)
    graph = onnx.load(DETECTOR)
    graph.metadata_props.add(key="least_score", value=str(result["least_score"]))
    onnx.save(graph, DETECTOR)
    return result | {"bytes": {path.name: path.stat().st_size for path in (DETECTOR, INK_MASK)}}


def _write(
    network: nn.Module,
    inputs: Tensor,
    path: Path,
    takes: str,
    gives: tuple[str, ...],
    shapes: dict[int, Any],
) -> None:
    """Export a network whose input's sides of `shapes` may differ."""
    program = torch.onnx.export(
        network.to(memory_format=torch.contiguous_format).eval(),
        (inputs,),
        dynamo=True,
        input_names=[takes],
        output_names=list(gives),
        dynamic_shapes=(shapes,),
        verbose=False,
    )
    assert program is not None
    graph = program.model_proto
    for node in graph.graph.node:  # where in the trainer's code it comes from is of no use
        del node.metadata_props[:]
    for value in graph.graph.value_info:
        del value.metadata_props[:]
    path.write_bytes(graph.SerializeToString())


def validate(stock: DigitStock, seed: int) -> dict[str, Any]:
    """Read scenes; return the best least score, what is found, and how digits are classified."""
    cv2.setNumThreads(1)
    detector, ink, model = Detector(), InkMask(), Model(BUNDLED, threads=1)
    found_scores, false_scores, own, named, digits = [], [], 0, 0, 0
    for number in range(SCENES):
        scene = draw_scene(stock, np.random.default_rng([seed + 1, number]))
        marks = [mark for mark in detector.find(scene.picture) if mark.is_digit]
        truth = [mark for mark in scene.marks if mark.class_ < LETTER]
        digits += len(truth)
        pairs = _pairs(marks, truth)
        found_scores += [mark.score for mark, _ in pairs]
        paired = {id(mark) for mark, _ in pairs}
        false = [mark for mark in marks if id(mark) not in paired]
        false_scores += [m.score for m in false if not _is_ignored(m, scene.ignored)]
        images = [image_of_ink(i) for i in ink.of(scene.picture, [mark.box for mark, _ in pairs])]
        classes = model.predict(np.array(images).reshape(-1, 28, 28))[1].argmax(axis=1)
        own += sum(mark.class_ == true.class_ for mark, true in pairs)
        named += sum(int(c) == true.class_ for c, (_, true) in zip(classes, pairs, strict=True))
    curve = [_at(score, np.array(found_scores), np.array(false_scores), digits) for score in SCORES]
    best = max(curve, key=lambda point: point["f1"])
    return {
        "scenes": SCENES,
        "digits": digits,
        "least_score": best["score"],
        "precision": best["precision"],
        "recall": best["recall"],
        "scores": curve,
        "class_of_detector": own / len(found_scores),
        "class_of_bundled_model": named / len(found_scores),
    }


def _at(
    score: float, found: npt.NDArray[np.float64], false: npt.NDArray[np.float64], digits: int
) -> dict[str, float]:
    right = int((found >= score).sum())
    precision, recall = right / max(right + int((false >= score).sum()), 1), right / digits
    values = {"precision": precision, "recall": recall}
    f1 = 2 * precision * recall / max(precision + recall, 1e-9)
    return {"score": round(float(score), 2), **values, "f1": f1}


def _pairs(marks: list[Found], truth: list[Mark]) -> list[tuple[Found, Mark]]:
    """Return each digit that was found with the true one in its place."""
    pairs, left = [], list(truth)
    for mark in marks:
        best = max(left, key=lambda true: _shared(mark.box, true.box), default=None)
        if best is not None and _shared(mark.box, best.box) >= _SAME:
            pairs.append((mark, best))
            left.remove(best)
    return pairs


def _is_ignored(mark: Found, boxes: list[tuple[float, float, float, float]]) -> bool:
    x, y = (mark.box[0] + mark.box[2]) / 2, (mark.box[1] + mark.box[3]) / 2
    return any(left <= x <= right and top <= y <= bottom for left, top, right, bottom in boxes)


def _shared(box: tuple[float, ...], other: tuple[float, ...]) -> float:
    """Return what two boxes have in common, as a share of their union."""
    width = min(box[2], other[2]) - max(box[0], other[0])
    height = min(box[3], other[3]) - max(box[1], other[1])
    if width <= 0 or height <= 0:
        return 0.0
    areas = [(b[2] - b[0]) * (b[3] - b[1]) for b in (box, other)]
    return width * height / (sum(areas) - width * height)
