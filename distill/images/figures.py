"""Pictures as PNG bytes from plain arrays. Nothing here needs a display or touches matplotlib's global state."""

import io
from collections.abc import Mapping, Sequence
from itertools import cycle
from typing import Any

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from numpy.typing import NDArray

# Okabe and Ito's colours, told apart by the colour-blind too.
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000")
# With a line of its own each, so that curves can be told apart in grey and where one covers another.
LINES = tuple(zip(COLOURS, ("-", "--", "-.", ":", (0, (5, 1)), (0, (3, 1, 1, 1)), (0, (1, 3))), strict=True))
_PREDICTED, _TRUTH = "#56b4e9", "#e69f00"
DPI = 110


def png(figure: Figure) -> bytes:
    """Render a figure."""
    buffer = io.BytesIO()
    FigureCanvasAgg(figure).print_png(buffer)
    return buffer.getvalue()


def new_axes(width: float = 7, height: float = 4) -> tuple[Figure, Any]:
    """Return a figure with one quiet pair of axes; sizes in inches."""
    figure = Figure(figsize=(width, height), dpi=DPI, layout="constrained")
    axes = figure.add_subplot()
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(alpha=0.25)
    return figure, axes


def ced_curves(nmes: Mapping[str, NDArray[np.floating]], kind: str, limit: float = 0.10) -> bytes:
    """Draw the share of faces at or below each NME up to `limit`, one curve for each name.

    Args:
        nmes: (n,) NME of the faces, as fractions.
        kind: the distance errors are divided by, for the label.
        limit: right end of the axis.
    """
    figure, axes = new_axes()
    for (name, values), (colour, style) in zip(nmes.items(), cycle(LINES), strict=False):
        nme = np.sort(values)
        # Steps up to the last face within the limit, then level to the edge.
        x = np.concatenate([[0.0], nme, [max(limit, nme[-1])]])
        y = np.concatenate([np.arange(len(nme) + 1), [len(nme)]]) / len(nme)
        label = f"{name}: NME {100 * nme.mean():.2f} %"
        axes.step(100 * x, 100 * y, where="post", color=colour, linestyle=style, linewidth=1.8, label=label)
    axes.set(
        xlim=(0, 100 * limit), ylim=(0, 101), xlabel=f"NME, % of {kind} distance", ylabel="faces at or below it, %"
    )
    axes.legend(frameon=False)
    return png(figure)


def contact_sheet(
    images: Sequence[NDArray[np.uint8]],
    predicted: Sequence[NDArray[np.floating]],
    target: Sequence[NDArray[np.floating]] | None = None,
    captions: Sequence[str] | None = None,
    columns: int = 4,
) -> bytes:
    """Draw points on crops: predictions as blue discs, the annotation as orange crosses beneath them.

    Args:
        images: (h, w, 3) uint8 RGB each; several sizes may be mixed.
        predicted: (k, 2) pixels of its image each (0-based centres).
        target: the truth likewise.
        captions: a line below each picture.
        columns: pictures in a row.
    """
    rows, columns = -(-len(images) // columns), min(columns, len(images))
    tight = ConstrainedLayoutEngine(w_pad=0.02, h_pad=0.02, wspace=0, hspace=0)
    figure = Figure(figsize=(2.1 * columns, (2.3 if captions else 2.1) * rows), dpi=DPI, layout=tight)
    for index, image in enumerate(images):
        axes = figure.add_subplot(rows, columns, index + 1)
        axes.imshow(image, interpolation="bilinear")
        if target is not None:
            axes.plot(*np.asarray(target[index]).T, "x", color=_TRUTH, markersize=3.2, markeredgewidth=0.9)
        axes.plot(*np.asarray(predicted[index]).T, ".", color=_PREDICTED, markersize=2.6, markeredgewidth=0)
        axes.set(xlim=(-0.5, image.shape[1] - 0.5), ylim=(image.shape[0] - 0.5, -0.5))
        axes.set_xticks([])
        axes.set_yticks([])
        axes.spines[:].set_visible(False)
        if captions is not None:
            axes.set_xlabel(captions[index], fontsize=7)
    return png(figure)
