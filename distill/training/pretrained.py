"""Initialise a network from another one's weights, also of other landmarks or another resolution."""

from collections import Counter
from contextlib import suppress
from pathlib import Path

from torch import Tensor, nn

from distill.errors import ConfigError
from distill.landmarks import selected_points
from distill.models.checkpoint import keep_head, load_model


def start_from(net: nn.Module, path: Path, scheme: str | None = None) -> str:
    """Copy the weights of a checkpoint that fit a network by name and shape; return in one line what was taken.

    SwinV2 learns its position bias as a function of relative offsets, divided by the window (log-CPB,
    arXiv 2111.09883, sec. 3.3), so its weights fit any crop and window: tables and masks are computed, not stored.
    Doubling crop and window together leaves every offset the same share of the face.

    Args:
        net: the network.
        path: of the checkpoint.
        scheme: of the main head of `net`. Of a checkpoint that predicts these points and others, the head is taken too.

    Raises:
        CheckpointError: missing or unreadable.
        ConfigError: none of its matrices fits.
    """
    stored, own = _stored(path, scheme), net.state_dict()
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


def _stored(path: Path, scheme: str | None) -> dict[str, Tensor]:
    """Return the weights of a checkpoint, its main head for the points of a scheme if it predicts them and others."""
    stored, spec = load_model(path)
    weights = stored.state_dict()
    if scheme is not None and selected_points(spec.scheme, scheme) is not None:
        with suppress(ConfigError):  # points that depend on each other: the rest of the network fits all the same
            weights |= keep_head(stored, spec, scheme)[0].state_dict()
    return weights
