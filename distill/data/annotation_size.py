"""Size of the photo that an annotation states, compared with the photo that is there.

An annotation tool that writes the width and height of a photo states which pixels its points are in. Other sizes
than the photo's mean another photo, a resized one, or the stored pixels of a photo that its orientation tag turns.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from distill.errors import AnnotationError
from distill.geometry import Box, box_of_points
from distill.images import Layout, image_layout

Size = tuple[int, int]


class Fitted(NamedTuple):
    """Points (k, 2) and boxes in pixels of the photo as `read_image` returns it.

    Attributes:
        points: None where there are none.
        boxes: by source.
        size: (width, height) of the photo.
        turned: whether they were given in stored pixels, which the photo's orientation tag turns.
    """

    points: NDArray[np.floating] | None
    boxes: Mapping[str, Box]
    size: Size
    turned: bool


def fit_to_photo(
    points: NDArray[np.floating] | None, boxes: Mapping[str, Box], stated: Size, image: Path, source: Path
) -> Fitted:
    """Return an annotation in pixels of its photo, turned with the photo where the stated size asks for it.

    Args:
        points: (k, 2), in pixels of a photo of the stated size.
        boxes: face boxes, likewise.
        stated: (width, height) that the annotation gives for its photo.
        image: the photo.
        source: the file named in errors.

    Raises:
        AnnotationError: the photo has another size.
        ImageError: a photo that cannot be opened.
    """
    layout = image_layout(image)
    if stated == layout.size:
        return Fitted(points, boxes, layout.size, turned=False)
    if stated != layout.stored:
        raise AnnotationError(
            f"{source}: annotated in a photo of {stated[0]}x{stated[1]} pixels, but {image.name} has "
            f"{layout.size[0]}x{layout.size[1]}; use the photos that were annotated, or scale the points"
        )
    moved = None if points is None else layout.upright_points(points)
    return Fitted(moved, {name: _turned(box, layout) for name, box in boxes.items()}, layout.size, turned=True)


def positive_size(width: object, height: object) -> Size | None:
    """Return a stated size, or None where the annotation gives none."""
    sides = tuple(side for side in (width, height) if isinstance(side, int) and not isinstance(side, bool) and side > 0)
    return (sides[0], sides[1]) if len(sides) == 2 else None


def _turned(box: Box, layout: Layout) -> Box:
    return box_of_points(layout.upright_points(np.array([[box.x0, box.y0], [box.x1, box.y1]])))
