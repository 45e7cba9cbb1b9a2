"""The bridge to TensorFlow: the tutorial's checkpoints come in, networks go out.

    library.py      TensorFlow itself, imported here and nowhere else
    variables.py    what each weight is called there, and how it lies
    checkpoint.py   `model.ckpt-20000.*` of the tutorial's program, read and written
    estimator.py    such a checkpoint as a run that goes on
    network.py      a network as Keras layers
    export.py       Keras, SavedModel, LiteRT and checkpoint files, compared before they get a name

Not covered: training with TensorFlow, and checkpoints of other networks than the tutorial's.
"""
