"""Detections of photos matched to their faces."""

from pathlib import Path

import numpy as np

from distill.data.photos.records import make_photo
from distill.detection.metrics import average_precision
from distill.images import Photo
from distill.metrics.detection import match_photos
from tests.support.photo_sets import write_photo


def test_every_photo_is_searched_once_for_all_overlaps(tmp_path: Path) -> None:
    write_photo(tmp_path / "a.png", np.zeros((8, 8, 3), np.uint8))
    photos = [make_photo(name, tmp_path / "a.png", [[0, 0, 10, 10]]) for name in "ab"]
    searched: list[Photo] = []

    def find(photo: Photo) -> tuple[np.ndarray, np.ndarray]:
        searched.append(photo)
        return np.array([[0, 0, 10, 4.5]]), np.array([0.9])

    matches = match_photos(photos, find, (0.4, 0.5))
    assert len(searched) == 2
    assert {iou: average_precision(found) for iou, found in matches.items()} == {0.4: 1.0, 0.5: 0.0}
