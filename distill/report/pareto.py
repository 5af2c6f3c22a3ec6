"""Accuracy against time against size, for every model whose accuracy is known."""

from collections.abc import Sequence
from itertools import cycle, islice
from math import hypot
from typing import Any, NamedTuple

from distill.bench.result import BenchResult
from distill.errors import ConfigError
from distill.report.label_placement import Box, Disc, place_labels


class Point(NamedTuple):
    """A model in the plane: milliseconds, NME in percent, bytes."""

    name: str
    ms: float
    nme: float
    bytes: int


def points(bench: BenchResult) -> list[Point]:
    """Return the models with a known NME, with their time on the first number of threads.

    Raises:
        ConfigError: there is none.
    """
    known = {
        name: value.nme_percent for name, value in bench.accuracies.by_name.items() if value.nme_percent is not None
    }
    if not known:
        raise ConfigError(
            "no model has an NME to draw: give evaluations of these files with --evaluations, or --nme NAME=PERCENT"
        )
    return [
        Point(s.name, bench.timings[bench.key_of(s.name)].median_ms, known[s.name], s.complexity.bytes)
        for s in bench.models
        if s.name in known
    ]


def front(models: Sequence[Point]) -> list[Point]:
    """Return the models that no other beats in time and NME (ties: neither beats the other), fastest first."""
    best = [
        model
        for model in models
        if not any(
            other.ms <= model.ms and other.nme <= model.nme and (other.ms < model.ms or other.nme < model.nme)
            for other in models
        )
    ]
    return sorted(best, key=lambda model: (model.ms, -model.nme))


def pareto_plot(bench: BenchResult) -> bytes:
    """Draw NME over latency on the first number of threads, areas as bytes, as PNG.

    Raises:
        ConfigError: no model has an NME.
    """
    from distill.images.figures import COLOURS, new_axes, png

    threads = bench.settings.threads[0]
    models = points(bench)
    figure, axes = new_axes(8, 5)
    steps = front(models)
    axes.step([m.ms for m in steps], [m.nme for m in steps], where="post", color="#999999", linewidth=1, zorder=1)
    largest = max(model.bytes for model in models)
    areas = [max(25.0, 900 * model.bytes / largest) for model in models]
    colours = list(islice(cycle(COLOURS), len(models)))
    axes.scatter([m.ms for m in models], [m.nme for m in models], s=areas, c=colours, alpha=0.6, linewidths=0, zorder=2)
    axes.margins(0.15)
    axes.set_xscale("log")
    _label_times(axes, [model.ms for model in models])
    axes.set(xlabel=f"ms an image, network only, {threads} thread{'s' * (threads > 1)}", ylabel=_nme_label(bench))
    axes.set_title(_title(bench), fontsize=8, loc="left")
    texts = [
        f"{model.name.removesuffix('.tflite')}{'†' if model.name in bench.accuracies.typed else ''}, "
        f"{model.bytes / 1e6:.2f} MB"
        for model in models
    ]
    _write_names(axes, models, areas, texts)
    return png(figure)


def _write_names(axes: Any, models: Sequence[Point], areas: Sequence[float], texts: Sequence[str]) -> None:
    """Write each text where it hides nothing, with a line to its disc where they do not touch."""
    from matplotlib.lines import Line2D

    figure = axes.figure
    figure.draw_without_rendering()
    names = [axes.text(0, 0, text, transform=None, fontsize=7, zorder=3) for text in texts]
    sizes = [name.get_window_extent() for name in names]
    centres = axes.transData.transform([(model.ms, model.nme) for model in models])
    # Areas are in square points, of which an inch has 72 by 72.
    radii = [area**0.5 / 2 * figure.dpi / 72 for area in areas]
    discs = [Disc(x, y, radius) for (x, y), radius in zip(centres, radii, strict=True)]
    frame = axes.get_window_extent()
    boxes = place_labels(discs, [(size.width, size.height) for size in sizes], Box(*frame.extents))
    for name, disc, box in zip(names, discs, boxes, strict=True):
        name.set_in_layout(False)
        name.set_position((box.left, box.bottom))
        x, y = min(max(disc.x, box.left), box.right), min(max(disc.y, box.bottom), box.top)
        if hypot(x - disc.x, y - disc.y) > disc.radius + (box.top - box.bottom):
            line = Line2D([disc.x, x], [disc.y, y], transform=None, color="#999999", linewidth=0.6, zorder=1)
            line.set_in_layout(False)
            axes.add_artist(line)


def _label_times(axes: object, times: Sequence[float]) -> None:
    """Write milliseconds as plain numbers at 1, 2 and 5 of each decade: a decade alone would leave most plots bare."""
    from matplotlib.ticker import LogLocator, NullFormatter, StrMethodFormatter

    axis = axes.xaxis  # type: ignore[attr-defined]
    wide = max(times) > 50 * min(times)
    axis.set_major_locator(LogLocator(subs=(1.0,) if wide else (1.0, 2.0, 5.0)))
    axis.set_major_formatter(StrMethodFormatter("{x:g}"))
    axis.set_minor_formatter(NullFormatter())


def _nme_label(bench: BenchResult) -> str:
    protocol = bench.accuracies.protocol
    return f"NME, % of {protocol.normalisers[0]} distance" if protocol else "NME, %"


def _title(bench: BenchResult) -> str:
    p, lines = bench.accuracies.protocol, []
    if p is not None:
        lines.append(f"{p.n_faces} faces of {p.format} {p.subset}, {p.boxes} boxes, {p.points} points")
    if bench.accuracies.typed:
        lines.append("† typed by hand, protocol not checked")
    unstable = not all(timing.stable for key, timing in bench.timings.items() if key.part == "model")
    lines.append(
        f"{bench.machine['cpu']}{'; unstable times, the machine was busy' if unstable else ''}; area: file size"
    )
    return "\n".join(lines)
