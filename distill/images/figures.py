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
# Boxes and points of the faces of a photo.
Faces = tuple[NDArray[np.floating], NDArray[np.floating]]
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


def precision_recall_curve(recall: NDArray[np.floating], precision: NDArray[np.floating], label: str) -> bytes:
    """Draw the precision of a detector over its recall.

    Args:
        recall: (n,) shares in ascending order.
        precision: (n,) shares.
        label: of the curve.
    """
    figure, axes = new_axes()
    axes.step(100 * recall, 100 * precision, where="pre", color=COLOURS[0], linewidth=1.8, label=label)
    axes.set(xlim=(0, 100), ylim=(0, 101), xlabel="recall, %", ylabel="precision, %")
    axes.legend(frameon=False)
    return png(figure)


def detection_sheet(
    images: Sequence[NDArray[np.uint8]], predicted: Sequence[Faces], target: Sequence[Faces], columns: int = 3
) -> bytes:
    """Draw detections on photos: predictions in blue, the labels in orange beneath them.

    Args:
        images: (h, w, 3) uint8 RGB each; several sizes may be mixed.
        predicted: of each photo boxes (k, 4), x0, y0, x1, y1, and points (k, n, 2) in its pixels (0-based centres).
        target: the labels likewise; points that are not labelled are NaN.
        columns: photos in a row.
    """
    figure, panels = _sheet(images, columns, 4.2, 4.2)
    for axes, labels, found in zip(panels, target, predicted, strict=True):
        # Labels with wider lines, which predictions do not cover.
        for (boxes, points), colour, marker, width in ((labels, _TRUTH, "x", 2.4), (found, _PREDICTED, ".", 1.2)):
            for x0, y0, x1, y1 in np.asarray(boxes):
                axes.plot([x0, x1, x1, x0, x0], [y0, y0, y1, y1, y0], color=colour, linewidth=width)
            axes.plot(*np.asarray(points).reshape(-1, 2).T, marker, color=colour, markersize=3)
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
    figure, panels = _sheet(images, columns, 2.1, 2.3 if captions else 2.1)
    for index, axes in enumerate(panels):
        if target is not None:
            axes.plot(*np.asarray(target[index]).T, "x", color=_TRUTH, markersize=3.2, markeredgewidth=0.9)
        axes.plot(*np.asarray(predicted[index]).T, ".", color=_PREDICTED, markersize=2.6, markeredgewidth=0)
        if captions is not None:
            axes.set_xlabel(captions[index], fontsize=7)
    return png(figure)


def _sheet(images: Sequence[NDArray[np.uint8]], columns: int, width: float, height: float) -> tuple[Figure, list[Any]]:
    """Return a figure of images without axes, and what to draw on each; width and height of one in inches.

    What lies beyond an image is not shown.
    """
    rows, columns = -(-len(images) // columns), min(columns, len(images))
    tight = ConstrainedLayoutEngine(w_pad=0.02, h_pad=0.02, wspace=0, hspace=0)
    figure, panels = Figure(figsize=(width * columns, height * rows), dpi=DPI, layout=tight), []
    for index, image in enumerate(images):
        axes = figure.add_subplot(rows, columns, index + 1)
        axes.imshow(image, interpolation="bilinear")
        axes.set(xlim=(-0.5, image.shape[1] - 0.5), ylim=(image.shape[0] - 0.5, -0.5), xticks=[], yticks=[])
        axes.set_autoscale_on(False)
        axes.spines[:].set_visible(False)
        panels.append(axes)
    return figure, panels
