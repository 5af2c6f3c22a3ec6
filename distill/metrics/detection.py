"""Detections of photos matched to their labelled faces."""

from collections.abc import Callable, Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from distill.data.photos.records import PhotoRecord
from distill.detection.metrics import PhotoMatch, match_photo
from distill.images import Photo, read_image

# (boxes (n, 4), scores (n,)) of a photo.
Find = Callable[[Photo], tuple[NDArray[np.float64], NDArray[np.float64]]]


def match_photos(photos: Sequence[PhotoRecord], find: Find, ious: Iterable[float]) -> dict[float, list[PhotoMatch]]:
    """Match the detections of photos to their faces, at each of some least overlaps; every photo is searched once."""
    found = [find(read_image(photo.image)) for photo in photos]
    return {
        iou: [match_photo(*faces, p.boxes, p.ignored, iou) for p, faces in zip(photos, found, strict=True)]
        for iou in ious
    }
