"""Perceptual hash of a face, to recognise the same picture after scaling, cropping and compression."""

from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from distill.geometry import Box, CropSpec, crop_affine
from distill.images import Photo, warp

HASH_BITS = 256
_CROP = CropSpec(size=64, scale=1.3)
_DETAIL = 32


class FaceHash(NamedTuple):
    """Perceptual hash of a face: 256 bits that find candidates, and a (1024,) unit vector that compares them."""

    bits: NDArray[np.bool_]
    detail: NDArray[np.float32]


def face_hash(photo: Photo, box: Box | None) -> FaceHash | None:
    """Return a hash that is robust to scaling, cropping, brightness and compression; None without a box.

    It is taken of the face's crop, not of the photo, as the same photo is often cut differently in two data sets.
    Bit (row, column) is set where the face gets brighter from one cell of a 16 x 17 grid to the next ("difference
    hash"); the details are the crop's Laplacian at 32 x 32 pixels.
    """
    if box is None:
        return None
    grey = cv2.cvtColor(warp(photo, crop_affine(box, _CROP), _CROP.size), cv2.COLOR_RGB2GRAY)
    cells = cv2.resize(grey, (17, 16), interpolation=cv2.INTER_AREA).astype(np.int16)
    small = cv2.resize(grey, (_DETAIL, _DETAIL), interpolation=cv2.INTER_AREA).astype(np.float32)
    detail = cv2.Laplacian(cv2.GaussianBlur(small, (0, 0), 1), cv2.CV_32F).reshape(-1)
    detail -= detail.mean()
    bits = (cells[:, 1:] > cells[:, :-1]).reshape(HASH_BITS)
    return FaceHash(bits, detail / max(1e-6, float(np.linalg.norm(detail))))
