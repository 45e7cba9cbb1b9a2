"""Serve the same model file with LitServe and the same runtime.

python lit.py MODEL.onnx PORT WORKERS BATCH
"""

import sys

import litserve
import numpy as np
import onnxruntime

MODEL, PORT, WORKERS, BATCH = sys.argv[1], *map(int, sys.argv[2:])


class Digits(litserve.LitAPI):
    def setup(self, device: str) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1 if WORKERS > 1 else 0
        self.session = onnxruntime.InferenceSession(
            MODEL, options, providers=["CPUExecutionProvider"]
        )

    def decode_request(self, request: dict) -> np.ndarray:  # type: ignore[type-arg]
        tensor = request["inputs"][0]
        return np.asarray(tensor["data"], np.float32).reshape(tensor["shape"])

    def batch(self, inputs: list[np.ndarray]) -> np.ndarray:  # type: ignore[type-arg]
        return np.concatenate(inputs)

    def predict(self, images: np.ndarray):  # type: ignore[no-untyped-def,type-arg]
        logits, probabilities = self.session.run(["logits", "probabilities"], {"images": images})
        return np.stack([logits, probabilities], axis=1)

    def unbatch(self, output: np.ndarray):  # type: ignore[no-untyped-def,type-arg]
        return list(output)

    def encode_response(self, output: np.ndarray) -> dict:  # type: ignore[type-arg]
        logits, probabilities = output.reshape(2, -1)
        return {"logits": logits.tolist(), "probabilities": probabilities.tolist()}


if __name__ == "__main__":
    api = Digits(max_batch_size=BATCH, batch_timeout=0.002 if BATCH > 1 else 0)
    server = litserve.LitServer(api, accelerator="cpu", workers_per_device=WORKERS)
    server.run(port=PORT, generate_client_file=False, log_level="warning")
