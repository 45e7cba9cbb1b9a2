"""Serve the tutorial's network the simplest way: a FastAPI handler that calls PyTorch.

python plain.py WEIGHTS PORT: the same layers and weights as the ONNX file.
"""

import sys

import torch
import uvicorn
from fastapi import FastAPI
from safetensors.torch import load_file
from torch import nn

network = nn.Sequential()
for name, layer in (
    ("conv1", nn.Conv2d(1, 32, 5, padding=2)),
    ("pool1", nn.MaxPool2d(2)),
    ("relu1", nn.ReLU()),
    ("conv2", nn.Conv2d(32, 64, 5, padding=2)),
    ("pool2", nn.MaxPool2d(2)),
    ("relu2", nn.ReLU()),
    ("flatten", nn.Flatten()),
    ("dense", nn.Linear(3136, 1024)),
    ("relu3", nn.ReLU()),
    ("logits", nn.Linear(1024, 10)),
):
    network.add_module(name, layer)
network.load_state_dict(load_file(sys.argv[1]))
network.eval()
app = FastAPI()


@app.post("/predict")
def predict(request: dict) -> dict:  # type: ignore[type-arg]
    tensor = request["inputs"][0]
    images = torch.tensor(tensor["data"]).reshape(tensor["shape"])
    with torch.inference_mode():
        logits = network(images)
    return {"logits": logits.tolist(), "probabilities": logits.softmax(1).tolist()}


uvicorn.run(app, port=int(sys.argv[2]), log_level="warning")
