"""A layout is recognised by the shapes of all outputs."""

import pytest

from distill.detection.third_party.layouts import LAYOUTS, recognise


@pytest.mark.parametrize("layout", LAYOUTS, ids=lambda layout: layout.name)
def test_each_layout_is_recognised_in_any_order(layout) -> None:
    shapes = layout.shapes(640, 480)
    assert recognise(shapes[::-1], 640, 480) is layout
    assert recognise(shapes[1:], 640, 480) is None
    assert recognise([(rows + 1, channels) for rows, channels in shapes], 640, 480) is None


def test_published_numbers_of_rows() -> None:
    """`version-RFB-320.onnx` and `-640.onnx` have 4420 and 17640 rows, `face_detection_yunet_2023mar.onnx` 6400."""
    by_name = {layout.name: layout for layout in LAYOUTS}
    assert by_name["UltraFace"].shapes(320, 240)[0] == (4420, 2)
    assert by_name["UltraFace"].shapes(640, 480)[0] == (17640, 2)
    assert by_name["YuNet"].shapes(640, 640)[0] == (6400, 1)
    assert by_name["SCRFD"].shapes(640, 640)[0] == (12800, 1)
