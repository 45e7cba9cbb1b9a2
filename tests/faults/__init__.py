"""The fault campaign: a training run under kills, damage, power cuts and system errors."""
