from pathlib import Path

import numpy as np

from distill.images import read_image
from distill.inference.overlay import draw_points, write_image


def test_points_are_drawn_on_a_copy_and_written_as_rgb(tmp_path: Path) -> None:
    photo = np.full((40, 60, 3), 10, np.uint8)
    drawn = draw_points(photo, [np.array([[20.0, 30.0]], np.float32)])
    assert (photo == 10).all()
    assert drawn[30, 20].tolist() == [80, 230, 80]
    assert (drawn != photo).any(-1).sum() < 30
    write_image(tmp_path / "drawn.png", drawn)
    np.testing.assert_array_equal(read_image(tmp_path / "drawn.png"), drawn)
