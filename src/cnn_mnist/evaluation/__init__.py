"""Measure how good a classifier is, from its logits alone: NumPy only."""
