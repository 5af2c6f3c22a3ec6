"""Initialise a network from another one's weights, also of other landmarks or another resolution."""

from collections import Counter
from pathlib import Path

from torch import nn

from distill.errors import ConfigError
from distill.models.checkpoint import load_model


def start_from(net: nn.Module, path: Path) -> str:
    """Copy the weights of a checkpoint that fit a network by name and shape; return in one line what was taken.

    SwinV2 learns its position bias as a function of relative offsets, divided by the window (log-CPB,
    arXiv 2111.09883, sec. 3.3), so its weights fit any crop and window: tables and masks are computed, not stored.
    Doubling crop and window together leaves every offset the same share of the face.

    Raises:
        CheckpointError: missing or unreadable.
        ConfigError: none of its matrices fits.
    """
    stored, own = load_model(path)[0].state_dict(), net.state_dict()
    taken = {name: value for name, value in stored.items() if name in own and own[name].shape == value.shape}
    if not any(value.ndim > 1 for value in taken.values()):
        raise ConfigError(f"--model.init {path}: none of its weights fits the network; give one of its own kind")
    net.load_state_dict(taken, strict=False)
    left = [name for name in own if name not in taken]
    counts = {name: value.numel() for name, value in own.items()}
    share = sum(counts[name] for name in taken) / sum(counts.values())
    new = Counter(".".join(name.split(".")[:2]) for name in left)
    rest = f"new: {', '.join(f'{name} ({count})' for name, count in new.items())}" if left else "nothing is new"
    return f"--model.init {path}: took {len(taken)} of {len(own)} tensors, {share:.1%} of the numbers; {rest}"
