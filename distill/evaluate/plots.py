"""Curves and bars of evaluations, as PNG bytes; unlike protocols are never drawn together."""

from collections.abc import Mapping
from itertools import cycle

import numpy as np

from distill.errors import ConfigError
from distill.evaluate.protocol import require_alike
from distill.evaluate.result import Evaluation
from distill.pictures import COLOURS, ced_curves, new_axes, png


def _require_alike(evaluations: Mapping[str, Evaluation]) -> None:
    if not evaluations:
        raise ConfigError("nothing to draw: give at least one evaluation")
    first, *others = evaluations.values()
    for other in others:
        require_alike(first.protocol, other.protocol)


def ced_plot(evaluations: Mapping[str, Evaluation], normaliser: str | None = None, limit: float = 0.10) -> bytes:
    """Draw the cumulative error distribution up to `limit`, one curve for each evaluation.

    Raises:
        ConfigError: evaluations of unlike protocols.
    """
    _require_alike(evaluations)
    kind = normaliser or next(iter(evaluations.values())).primary
    return ced_curves({name: evaluation.nme(kind) for name, evaluation in evaluations.items()}, kind, limit)


def group_bars(evaluations: Mapping[str, Evaluation], normaliser: str | None = None) -> bytes:
    """Draw the mean error of each part of the face, side by side for each evaluation.

    Raises:
        ConfigError: evaluations of unlike protocols.
    """
    _require_alike(evaluations)
    figure, axes = new_axes()
    width = 0.8 / len(evaluations)
    for index, ((name, evaluation), colour) in enumerate(zip(evaluations.items(), cycle(COLOURS), strict=False)):
        kind, groups = normaliser or evaluation.primary, (None, *evaluation.groups)
        means = [100 * evaluation.nme(kind, group).mean() for group in groups]
        places = np.arange(len(groups)) + (index - (len(evaluations) - 1) / 2) * width
        axes.bar_label(axes.bar(places, means, width, color=colour, label=name), fmt="%.1f", fontsize=7, padding=1)
    axes.set_xticks(np.arange(len(groups)), [group or "all" for group in groups])
    axes.set(ylabel=f"mean error, % of {kind} distance")
    axes.grid(axis="x", alpha=0)
    axes.legend(frameon=False, ncols=len(evaluations), loc="lower center", bbox_to_anchor=(0.5, 1.0), fontsize=8)
    return png(figure)
