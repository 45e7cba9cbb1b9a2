"""Derive all randomness of a run from (seed, step, purpose), so that no generator has a state."""

import numpy as np
import torch


def derive_seed(seed: int, step: int, purpose: str) -> int:
    """Return a 64-bit seed for one purpose at one step, unrelated to those of other triples."""
    entropy = (seed, step, *purpose.encode())
    return int(np.random.SeedSequence(entropy).generate_state(1, np.uint64)[0])


def generator(
    seed: int, step: int, purpose: str, device: torch.device | None = None
) -> torch.Generator:
    """Return a generator for one purpose at one step, on the CPU unless a device is given."""
    return torch.Generator(device or "cpu").manual_seed(derive_seed(seed, step, purpose))
