"""Read the digits in any image: find them, bring each into MNIST's form, classify it.

In the order of the work: `input_types` takes a picture in any form; `decode` turns it into pixels,
with `documents` (HEIC, PDF) and `levels` (depth, transparency); `margin` gives a tight crop room;
`ink` measures how strongly each pixel is written on; `strokes` finds connected pieces of ink;
`rows` (with `touching`) arranges them into rows of parts; `glyph` brings a digit's ink to 28x28;
`finder` lists everything that may be a digit; `rejector` decides whether a candidate is one;
`reader` does all of it, and returns a `Reading` of `result`. `arrays` classifies arrays that are in
MNIST's form already, `explain` draws a reading, `opencv` wraps OpenCV. Uses Pillow, OpenCV, NumPy
and ONNX Runtime; never torch.
"""
