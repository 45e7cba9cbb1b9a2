"""Train a network: the step (`trainer`), the loop around it, and everything that they need.

From the inside out: `seeds`, `device`, `malloc`; `optimizers`, `schedules`, `augmentation`,
`fast_linear`, `batch_norm`, `cuda_graph`; `distributed`; `hooks`; `trainer`; `clock`, `meter`,
`signals`; `loop`; `launch`, `trials`.
"""
