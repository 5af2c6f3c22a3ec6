"""Square crops of a photo, anti-aliased."""

import math
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from distill.geometry import Affine, invert_affine, zoom_of

Photo = NDArray[np.uint8]


def _needed(image: Photo, affine: Affine, size: int, margin: int) -> tuple[slice, slice]:
    """Rows and columns of the photo that a crop of `size` pixels covers; at least one pixel."""
    spans = []
    for (across, down, shift), limit in zip(invert_affine(affine).tolist(), image.shape[1::-1], strict=True):
        ends = [sorted((-0.5 * step, (size - 0.5) * step)) for step in (across, down)]
        low, high = (x + y + shift for x, y in zip(*ends, strict=True))
        first = min(max(math.floor(low) - margin, 0), limit - 1)
        spans.append(slice(first, min(max(math.ceil(high) + margin + 1, first + 1), limit)))
    columns, rows = spans
    return rows, columns


def resize_to(photo: Photo, longer: int) -> tuple[Photo, float]:
    """Return a photo (h, w, 3) with `longer` pixels on its longer side, and the scale; itself where it has them.

    Bilinear, after averaging whole blocks of pixels where it gets less than half as large: the exact average over the
    area of a target pixel (INTER_AREA) takes 3 to 15 times as long. Both axes have the same scale, whatever is rounded.
    """
    height, width = photo.shape[:2]
    scale = longer / max(height, width)
    inner = max(1, round(width * scale)), max(1, round(height * scale))
    if inner == (width, height):
        return photo, scale
    if scale > 1:
        return cv2.resize(photo, inner, interpolation=cv2.INTER_LINEAR), scale
    block = int(1 / scale)
    part, rest = _block_means(photo, block), scale * block
    if rest < 1:
        # By the factor, not to a size: the last block may lie outside the photo in part.
        part = cv2.resize(part, None, fx=rest, fy=rest, interpolation=cv2.INTER_LINEAR)
    return part[: inner[1], : inner[0]], scale


def _block_means(photo: Photo, block: int) -> Photo:
    """Return the means of blocks of block x block pixels; blocks at the far edge are filled up with its pixels."""
    if block == 1:
        return photo
    # Filled up, because resize would squeeze the grid otherwise.
    below, right = -photo.shape[0] % block, -photo.shape[1] % block
    if below or right:
        photo = cv2.copyMakeBorder(photo, 0, below, 0, right, cv2.BORDER_REPLICATE)
    means: Photo = cv2.resize(photo, None, fx=1 / block, fy=1 / block, interpolation=cv2.INTER_AREA)
    return means


def warp(image: Photo, affine: Affine, size: int) -> Photo:
    """Cut a square crop out of a photo.

    Bilinear, after averaging whole blocks of pixels when the crop is less than half as large as what it shows, so that
    large faces do not alias. Outside the photo its edge pixels repeat: a constant colour would draw a line that never
    occurs in a face, and reflection would show a second eye or mouth.

    Args:
        image: (h, w, 3) uint8.
        affine: 2x3, photo pixels to crop pixels, as from `geometry.crop_affine`.
        size: side of the crop in pixels.

    Returns:
        (size, size, 3) uint8.
    """
    block = max(1, int(1 / zoom_of(affine)))
    rows, columns = _needed(image, affine, size, margin=2 * block)
    part: NDArray[Any] = _block_means(image[rows, columns], block)
    # The centre of cell j of `part` is photo pixel origin + (j + 0.5) * block - 0.5.
    offset = np.array([columns.start, rows.start]) + (block - 1) / 2
    matrix = np.concatenate([affine[:, :2] * block, affine[:, :2] @ offset[:, None] + affine[:, 2:]], axis=1)
    crop = cv2.warpAffine(part, matrix, (size, size), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return crop
