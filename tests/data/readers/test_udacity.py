"""Udacity (YouTube Faces): round trips, conventions and error messages."""

from pathlib import Path

import numpy as np

from distill.data.readers.udacity import read_frames
from tests.support.annotation_writers import format_frames
from tests.support.reader_cases import random_points


def test_udacity_round_trip(tmp_path: Path) -> None:
    rows = {"a, b_00.jpg": random_points(68) * 1.1, "c_01t.jpg": random_points(68, 1).astype(float)}
    (tmp_path / "a.csv").write_text(format_frames(rows))
    for (name, read), (wanted, points) in zip(read_frames(tmp_path / "a.csv"), rows.items(), strict=True):
        assert name == wanted
        assert np.array_equal(read, points)
