"""Read the digits in any image: find them, bring each into MNIST's form, classify it.

From the inside out: `filters`; `decode` a file to pixels; `ink` pixels to the strength of ink;
`strokes` ink to connected pieces; `touching` and `rows` pieces to rows of parts; `glyph` a digit's
ink to 28x28; `candidates` everything that may be a digit; `rejector` whether a candidate is one;
`result` what was read; `reader` all of it; `arrays` images that are in MNIST's form already;
`explain` a reading drawn. Pillow, OpenCV, NumPy and ONNX Runtime; never torch.
"""
