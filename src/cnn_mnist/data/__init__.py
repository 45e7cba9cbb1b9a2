"""Data: finding it, checking it, splitting it, and the order in which training sees it."""
