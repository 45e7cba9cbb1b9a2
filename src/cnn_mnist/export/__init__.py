"""Write a trained network for other programs, each file compared with its source first.

`onnx` the model file; `int8` its 8-bit variants; `graph` reading any ONNX graph; `parity` the
comparison; `temperature` calibration inside a network; `triton` a model repository; `tensorflow/`
Keras, SavedModel, LiteRT and TensorFlow checkpoints.
"""
