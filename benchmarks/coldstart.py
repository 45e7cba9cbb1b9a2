"""Compare the cold start of `cnn-mnist predict` with that of a PyTorch script.

    python benchmarks/coldstart.py > benchmarks/results/coldstart.json

Each is a whole process that reads one image. The script is what most people would write: import
torch, build the tutorial's network, load its weights, open the image with Pillow, resize it to
28x28, invert it if it is bright, print the class. Ours finds the digit in the image, reads it with
two networks and prints its probability. The processes run in turn, A B A B ...; the last line of
standard output is one JSON object.
"""

import os
import statistics
import sys
import tempfile
from functools import partial
from pathlib import Path

import torch
from PIL import Image, ImageDraw
from processes import run
from record import print_result
from timing import in_turn, summary

from cnn_mnist.networks.build import build
from cnn_mnist.recipe import named

RUNS = 15
SCRIPT = """
import sys
import numpy as np
import torch
from PIL import Image
from torch import nn

model = nn.Sequential(
    nn.Conv2d(1, 32, 5, padding=2), nn.MaxPool2d(2), nn.ReLU(),
    nn.Conv2d(32, 64, 5, padding=2), nn.MaxPool2d(2), nn.ReLU(),
    nn.Flatten(), nn.Linear(64 * 7 * 7, 1024), nn.ReLU(), nn.Dropout(0.4), nn.Linear(1024, 10),
)
model.load_state_dict(torch.load(sys.argv[1], weights_only=True))
model.eval()
grey = np.asarray(Image.open(sys.argv[2]).convert("L").resize((28, 28)), np.float32) / 255
image = 1 - grey if grey.mean() > 0.5 else grey
with torch.no_grad():
    print(int(model(torch.from_numpy(image)[None, None]).argmax()))
"""


def main() -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory() as folder:
        picture, weights, script = (Path(folder) / name for name in ("7.png", "w.pt", "plain.py"))
        page = Image.new("L", (200, 200), "white")
        ImageDraw.Draw(page).line([(60, 50), (140, 50), (90, 160)], "black", 14, joint="curve")
        page.save(picture)
        state = build(named("standard"), 10, torch.Generator().manual_seed(0)).state_dict()
        places = [f"{layer}.{kind}" for layer in (0, 3, 7, 10) for kind in ("weight", "bias")]
        torch.save(dict(zip(places, state.values(), strict=True)), weights)
        script.write_text(SCRIPT, encoding="utf-8")
        commands = {
            "cnn-mnist predict": [sys.executable, "-m", "cnn_mnist", "predict", str(picture)],
            "PyTorch script": [sys.executable, *map(os.fspath, (script, weights, picture))],
        }
        times = in_turn({k: partial(run, v) for k, v in commands.items()}, rounds=RUNS)
    medians = [statistics.median(values) for values in times.values()]
    result = {name: summary(values) for name, values in times.items()}
    result |= {"runs": RUNS, "times_as_fast": medians[1] / medians[0]}
    print_result(result)


if __name__ == "__main__":
    main()
