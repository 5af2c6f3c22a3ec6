"""Plot training curves of several runs from their `metrics.csv`."""

from collections.abc import Mapping, Sequence
from itertools import cycle
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from distill.errors import ConfigError
from distill.images.figures import DPI, LINES, png
from distill.training.loggers.metrics_csv import read_curve


def training_plot(runs: Mapping[str, str | Path], columns: Sequence[str]) -> bytes:
    """Draw values of the `metrics.csv` of several runs, one panel each; a run without a value is left out of its panel.

    Raises:
        ConfigError: a missing file, or a value that no run has.
    """
    figure = Figure(figsize=(4.2 * min(len(columns), 3), 3.1 * -(-len(columns) // 3)), dpi=DPI, layout="constrained")
    for index, column in enumerate(columns, 1):
        axes = figure.add_subplot(-(-len(columns) // 3), min(len(columns), 3), index)
        axes.spines[["top", "right"]].set_visible(False)
        axes.grid(alpha=0.25)
        axes.set(title=f"{column}, %" if column.startswith("val/") else column, xlabel="step")
        curves = {name: read_curve(path, column) for name, path in runs.items()}
        factor = 100 if column.startswith("val/") else 1  # recorded as shares, shown in percent as everywhere
        curves = {name: (steps, factor * values) for name, (steps, values) in curves.items() if len(steps)}
        if not curves:
            raise ConfigError(f"no run has a value '{column}': {', '.join(map(str, runs.values()))}")
        for (name, (steps, values)), (colour, style) in zip(curves.items(), cycle(LINES), strict=False):
            marker = "o" if len(steps) == 1 else None
            axes.plot(steps, values, color=colour, linestyle=style, linewidth=1.4, label=name, marker=marker)
        drawn = np.concatenate([values for _, values in curves.values()])
        if drawn.min() > 0 and drawn.max() > 20 * drawn.min():
            axes.set_yscale("log")
        axes.legend(frameon=False, fontsize=8)
    return png(figure)
