"""Import from TensorFlow and export to it: the tutorial's checkpoints, Keras, SavedModel, LiteRT.

    library.py      imports TensorFlow; no other module does
    variables.py    names and order of the weights in TensorFlow
    checkpoint.py   reads and writes `model.ckpt-20000.*` of the tutorial's program
    estimator.py    makes a run of such a checkpoint, so that training can go on
    network.py      builds a network from Keras layers
    formats.py      writes each format, and compares it with the network

Not covered: training with TensorFlow; reading checkpoints of other networks than the tutorial's.
"""
