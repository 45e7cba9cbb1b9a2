"""Read the digits in any image: find them, bring each into MNIST's form, classify it.

In the order of the work: `input_types` takes a picture in any form; `decode` turns it into pixels,
with `documents` (HEIC, PDF) and `levels` (depth, transparency); `grey` brings its colours to one
channel; `detector` finds characters, `upright` turns them, `lines` puts them in order, `fields`
finds the boxes of a form; `ink` masks a digit's own ink, `glyph` brings it to 28x28; `acceptance`
decides what is accepted, with `rejector` as a second opinion; `finder` does all of that; `signs`
decides what belongs to a number; `reader` lets the network say which digit it
is, and returns a `Reading` of `result`. `arrays` classifies arrays that are in MNIST's form
already, `explain` draws a reading, `opencv` wraps OpenCV. Uses Pillow, OpenCV, NumPy and ONNX
Runtime; never torch.
"""
