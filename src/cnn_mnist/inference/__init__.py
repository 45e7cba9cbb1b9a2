"""Run a trained network in an ONNX file with ONNX Runtime; torch is never imported."""
