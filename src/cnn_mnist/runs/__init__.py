"""Keep a run on the disk: its directory, what it is, its checkpoints, and the lock on it."""
