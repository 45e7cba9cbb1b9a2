"""Find, fetch, check and split data sets, and order their images for training."""
