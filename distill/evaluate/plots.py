"""Pictures of results, as PNG bytes. Nothing here needs a display or touches matplotlib's global state."""

import csv
import io
from collections.abc import Mapping, Sequence
from itertools import cycle
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from numpy.typing import NDArray

from distill.errors import ConfigError
from distill.evaluate.protocol import require_alike
from distill.evaluate.result import Evaluation

# Okabe and Ito's colours, told apart by the colour-blind too.
_COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000")
_PREDICTED, _TRUTH = "#22dd44", "#ff3333"
_DPI = 110


def _png(figure: Figure) -> bytes:
    buffer = io.BytesIO()
    FigureCanvasAgg(figure).print_png(buffer)
    return buffer.getvalue()


def _axes(width: float = 7, height: float = 4) -> tuple[Figure, Any]:
    figure = Figure(figsize=(width, height), dpi=_DPI, layout="constrained")
    axes = figure.add_subplot()
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(alpha=0.25)
    return figure, axes


def _require_alike(evaluations: Mapping[str, Evaluation]) -> None:
    if not evaluations:
        raise ConfigError("nothing to draw: give at least one evaluation")
    first, *others = evaluations.values()
    for other in others:
        require_alike(first.protocol, other.protocol)


def ced_plot(evaluations: Mapping[str, Evaluation], normaliser: str | None = None, limit: float = 0.10) -> bytes:
    """Draw the share of faces below each NME up to `limit`, one curve for each evaluation.

    Raises:
        ConfigError: evaluations of unlike protocols.
    """
    _require_alike(evaluations)
    figure, axes = _axes()
    for (name, evaluation), colour in zip(evaluations.items(), cycle(_COLOURS), strict=False):
        kind = normaliser or evaluation.primary
        nme = np.sort(evaluation.nme(kind))
        # Steps up to the last face within the limit, then level to the edge.
        x = np.concatenate([[0.0], nme, [max(limit, nme[-1])]])
        y = np.concatenate([np.arange(len(nme) + 1), [len(nme)]]) / len(nme)
        label = f"{name}: NME {100 * nme.mean():.2f} %"
        axes.step(100 * x, 100 * y, where="post", color=colour, linewidth=1.8, label=label)
    axes.set(
        xlim=(0, 100 * limit), ylim=(0, 101), xlabel=f"NME, % of {kind} distance", ylabel="faces at or below it, %"
    )
    axes.legend(frameon=False)
    return _png(figure)


def group_bars(evaluations: Mapping[str, Evaluation], normaliser: str | None = None) -> bytes:
    """Draw the mean error of each part of the face, side by side for each evaluation.

    Raises:
        ConfigError: evaluations of unlike protocols.
    """
    _require_alike(evaluations)
    figure, axes = _axes()
    width = 0.8 / len(evaluations)
    for index, ((name, evaluation), colour) in enumerate(zip(evaluations.items(), cycle(_COLOURS), strict=False)):
        kind, groups = normaliser or evaluation.primary, (None, *evaluation.groups)
        means = [100 * evaluation.nme(kind, group).mean() for group in groups]
        places = np.arange(len(groups)) + (index - (len(evaluations) - 1) / 2) * width
        axes.bar_label(axes.bar(places, means, width, color=colour, label=name), fmt="%.1f", fontsize=7, padding=1)
    axes.set_xticks(np.arange(len(groups)), [group or "all" for group in groups])
    axes.set(ylabel=f"mean error, % of {kind} distance")
    axes.grid(axis="x", alpha=0)
    axes.legend(frameon=False)
    return _png(figure)


def read_curve(path: str | Path, column: str, x: str = "step") -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Read one column of a `metrics.csv`, whose rows each hold some of the columns, as (x, y).

    Raises:
        ConfigError: no such file or column.
    """
    path = Path(path)
    if not path.is_file():
        raise ConfigError(f"{path}: no such file; give the metrics.csv of a run")
    with path.open(newline="", encoding="utf-8") as file:
        reader = csv.DictReader(file)
        columns = reader.fieldnames or []
        for name in (column, x):
            if name not in columns:
                raise ConfigError(f"{path}: no column '{name}'; it has {', '.join(columns) or 'none'}")
        pairs = [(float(row[x]), float(row[column])) for row in reader if row[x] and row[column]]
    values = np.array(pairs, np.float64).reshape(-1, 2)
    return values[:, 0], values[:, 1]


def training_plot(runs: Mapping[str, str | Path], columns: Sequence[str], x: str = "step") -> bytes:
    """Draw columns of the `metrics.csv` of several runs, one panel a column; a run without a column is left out of it.

    Raises:
        ConfigError: a missing file, or a column that no run has.
    """
    figure = Figure(figsize=(4.2 * min(len(columns), 3), 3.1 * -(-len(columns) // 3)), dpi=_DPI, layout="constrained")
    for place, column in enumerate(columns, 1):
        axes = figure.add_subplot(-(-len(columns) // 3), min(len(columns), 3), place)
        axes.spines[["top", "right"]].set_visible(False)
        axes.grid(alpha=0.25)
        axes.set(title=column, xlabel=x)
        curves = {name: read_curve(path, column, x) for name, path in runs.items() if _has(path, column)}
        if not curves:
            raise ConfigError(f"no run has a column '{column}': {', '.join(map(str, runs.values()))}")
        for (name, (steps, values)), colour in zip(curves.items(), cycle(_COLOURS), strict=False):
            marker = "o" if len(steps) == 1 else None
            axes.plot(steps, values, color=colour, linewidth=1.4, label=name, marker=marker)
        if all((values > 0).all() and values.max() > 20 * values.min() for _, values in curves.values()):
            axes.set_yscale("log")
        axes.legend(frameon=False, fontsize=8)
    return _png(figure)


def _has(path: str | Path, column: str) -> bool:
    if not Path(path).is_file():
        return True  # reading it gives the error
    with Path(path).open(newline="", encoding="utf-8") as file:
        return column in next(csv.reader(file), [])


def contact_sheet(
    images: Sequence[NDArray[np.uint8]],
    predicted: Sequence[NDArray[np.floating]],
    target: Sequence[NDArray[np.floating]] | None = None,
    captions: Sequence[str] | None = None,
    columns: int = 4,
) -> bytes:
    """Draw points on crops: predictions green, the truth red beneath them.

    Args:
        images: (h, w, 3) uint8 RGB each; several sizes may be mixed.
        predicted: (k, 2) pixels of its image each (0-based centres).
        target: the truth likewise.
        captions: a line below each picture.
        columns: pictures in a row.
    """
    rows, columns = -(-len(images) // columns), min(columns, len(images))
    tight = ConstrainedLayoutEngine(w_pad=0.02, h_pad=0.02, wspace=0, hspace=0)
    figure = Figure(figsize=(2.1 * columns, (2.3 if captions else 2.1) * rows), dpi=_DPI, layout=tight)
    for index, image in enumerate(images):
        axes = figure.add_subplot(rows, columns, index + 1)
        axes.imshow(image, interpolation="bilinear")
        if target is not None:
            axes.plot(*np.asarray(target[index]).T, ".", color=_TRUTH, markersize=3.2, markeredgewidth=0)
        axes.plot(*np.asarray(predicted[index]).T, ".", color=_PREDICTED, markersize=2.6, markeredgewidth=0)
        axes.set(xlim=(-0.5, image.shape[1] - 0.5), ylim=(image.shape[0] - 0.5, -0.5))
        axes.set_xticks([])
        axes.set_yticks([])
        axes.spines[:].set_visible(False)
        if captions is not None:
            axes.set_xlabel(captions[index], fontsize=7)
    return _png(figure)
