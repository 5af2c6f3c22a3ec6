"""Curves and bars of evaluations, as PNG bytes; unlike protocols are never drawn together."""

from collections.abc import Mapping
from itertools import cycle
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from distill.data.pose import head_points
from distill.errors import ConfigError
from distill.evaluate.protocol import require_alike
from distill.evaluate.result import Evaluation
from distill.evaluate.seeds import interval
from distill.images.figures import COLOURS, LINES, ced_curves, new_axes, png
from distill.landmarks import load_scheme

# Of bars, beside their colours.
_HATCHES = ("", "///", "...", "xxx", "\\\\\\", "+++", "ooo")


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
    figure, axes = new_axes(max(7.0, 1.2 * len(evaluations)))
    width = 0.8 / len(evaluations)
    styles = zip(cycle(COLOURS), cycle(_HATCHES), strict=False)
    for index, ((name, evaluation), (colour, hatch)) in enumerate(zip(evaluations.items(), styles, strict=False)):
        kind, groups = normaliser or evaluation.primary, (None, *evaluation.groups)
        means = [100 * np.nanmean(evaluation.nme(kind, group)) for group in groups]
        positions = np.arange(len(groups)) + (index - (len(evaluations) - 1) / 2) * width
        axes.bar_label(
            axes.bar(positions, means, width, color=colour, hatch=hatch, edgecolor="white", label=name),
            fmt="%.1f",
            fontsize=7,
            padding=1,
        )
    axes.set_xticks(np.arange(len(groups)), [group or "all" for group in groups])
    axes.set(ylabel=f"mean error, % of {kind} distance")
    axes.grid(axis="x", alpha=0)
    # A wider legend than the axes would make these narrow.
    axes.legend(
        frameon=False, ncols=min(len(evaluations), 4), loc="lower center", bbox_to_anchor=(0.5, 1.0), fontsize=8
    )
    return png(figure)


def role_bars(roles: Mapping[str, Mapping[str, Evaluation]]) -> bytes:
    """Draw the mean NME of teachers, students and baselines as bars, with one dot for each training.

    Args:
        roles: evaluations of unlike trainings, by the role of the run and by the name of the run.

    Raises:
        ConfigError: evaluations of unlike protocols.
    """
    _require_alike({name: found for group in roles.values() for name, found in group.items()})
    figure, axes = new_axes(5.6, 0.9 + 0.75 * len(roles))
    for row, (colour, group) in enumerate(zip(cycle(COLOURS), roles.values(), strict=False)):
        nmes = np.stack([100 * found.nme() for found in group.values()])
        low, high = interval(nmes, next(iter(group.values())).protocol.seed)
        mean = float(nmes.mean())
        axes.barh(row, mean, 0.6, color=colour, alpha=0.75)
        axes.plot([low, high], [row, row], color="#222222", linewidth=1.5)
        axes.plot(nmes.mean(1), [row] * len(group), "o", color="#222222", markerfacecolor="white", markersize=5)
        axes.text(high, row, f"  {mean:.2f} %", va="center", fontsize=10)
    axes.set_yticks(range(len(roles)), [f"{role} ({len(group)})" for role, group in roles.items()])
    axes.invert_yaxis()
    kind = next(iter(next(iter(roles.values())).values())).primary
    axes.set(xlabel=f"NME, % of {kind} distance")
    axes.set_xmargin(0.15)
    axes.grid(axis="y", alpha=0)
    return png(figure)


def face_map(evaluations: Mapping[str, Evaluation], normaliser: str | None = None) -> bytes:
    """Draw the mean error of every landmark as a disc of that radius on the neutral generated head, one for each.

    Raises:
        ConfigError: evaluations of unlike protocols, or a scheme the head has no points for.
    """
    _require_alike(evaluations)
    first = next(iter(evaluations.values()))
    shape = head_points(first.protocol.scheme)[:, :2]
    figure = Figure(figsize=(3.4 * len(evaluations), 3.6), dpi=110, layout="constrained")
    means = {
        name: np.nanmean(e.errors / e.distances[normaliser or e.primary][:, None], 0) for name, e in evaluations.items()
    }
    unit = _unit(first, shape, normaliser)
    top = max(float(mean.max()) for mean in means.values())
    for index, (name, mean) in enumerate(means.items(), 1):
        axes = figure.add_subplot(1, len(evaluations), index)
        for (x, y), value in zip(shape, mean, strict=True):
            axes.add_patch(_disc((x, y), value * unit, value / top))
        axes.plot(*shape.T, ".", color="#222222", markersize=2)
        axes.set(title=f"{name}: worst point {100 * mean.max():.1f} %", aspect="equal")
        axes.autoscale_view()
        axes.axis("off")
    return png(figure)


def _unit(evaluation: Evaluation, shape: Any, normaliser: str | None) -> float:
    """What one normaliser distance is on the drawn head, so that discs are to scale."""
    kind = normaliser or evaluation.primary
    if kind == "box":
        return float(np.sqrt(np.prod(np.ptp(shape, axis=0))))
    return float(load_scheme(evaluation.protocol.scheme).eye_distance(shape, kind))


def _disc(centre: tuple[float, float], radius: float, share: float) -> Any:
    from matplotlib.patches import Circle

    return Circle(centre, radius, facecolor=(0.84, 0.37 * (1.6 - share), 0.0), alpha=0.45, linewidth=0)


def robustness_curves(results: Mapping[str, Mapping[str, Any]]) -> bytes:
    """Draw the NME at every level of every robustness test, one panel a test and one curve a model.

    Args:
        results: by model, what `robustness.robustness` returned for the same faces.
    """
    tests = list(next(iter(results.values())))
    figure = Figure(figsize=(4.2 * min(len(tests), 3), 3.2 * -(-len(tests) // 3)), dpi=110, layout="constrained")
    for index, test in enumerate(tests, 1):
        axes = figure.add_subplot(-(-len(tests) // 3), min(len(tests), 3), index)
        axes.spines[["top", "right"]].set_visible(False)
        axes.grid(alpha=0.25)
        for (name, found), (colour, style) in zip(results.items(), cycle(LINES), strict=False):
            points = found[test]["points"]
            positions = range(len(points))
            axes.plot(
                positions,
                [p["nme_percent"] for p in points],
                marker="o",
                color=colour,
                linestyle=style,
                label=name,
                markersize=3,
            )
            low, high = ([p[key] for p in points] for key in ("low_percent", "high_percent"))
            axes.fill_between(positions, low, high, color=colour, alpha=0.15, linewidth=0)
        axes.set_xticks(range(len(points)), [f"{p['level']:g}" for p in points])
        axes.set(title=test, xlabel=found[test]["level"], ylabel=f"NME, % of {found[test]['normaliser']}")
        if max(p["nme_percent"] for p in points) > 20:
            axes.set_yscale("log")
        if index == 1:
            axes.legend(frameon=False, fontsize=8)
    return png(figure)
