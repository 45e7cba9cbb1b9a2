"""Measure how good a classifier is, from its logits; only `trained_run` needs torch."""
