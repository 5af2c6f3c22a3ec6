"""Boxes in numpy: suppression, and tiles that cover a photo."""

import itertools

import numpy as np
import pytest

from distill.detection.boxes import group, soft_nms, squares, tile_windows


def test_group_merges_copies_and_drops_parts() -> None:
    boxes = np.array([[0, 0, 10, 10], [1, 0, 11, 10], [2, 2, 6, 6], [30, 0, 40, 10.0]])
    groups = group(boxes, np.array([0.9, 0.8, 0.7, 0.95]))
    assert [list(indices) for indices in groups] == [[3], [0, 1]]


def test_group_ends_on_boxes_without_area() -> None:
    """A box that does not overlap itself must not loop forever."""
    assert len(group(np.zeros((3, 4)), np.ones(3))) >= 1
    assert group(np.zeros((0, 4)), np.zeros(0)) == []


def test_soft_suppression_lowers_the_scores_of_overlapping_boxes() -> None:
    boxes = np.array([[0.0, 0, 10, 10], [0, 0, 10, 9], [20, 20, 30, 30], [1, 1, 4, 4]])
    scores = np.array([0.9, 0.8, 0.7, 0.6])
    kept, lowered = soft_nms(boxes, scores, 0.4, 0.05, inside=0.6)
    # The second box overlaps the first by 0.9, so a tenth of its score is left; the last one is a part of the first.
    assert kept.tolist() == [0, 2, 1]
    np.testing.assert_allclose(lowered, [0.9, 0.7, 0.08])
    assert soft_nms(boxes, scores, 0.4, 0.1, inside=0.6)[0].tolist() == [0, 2]
    assert soft_nms(boxes, scores, 0.4, 0.05, inside=1.0)[0].tolist() == [0, 2, 3, 1]
    kept, lowered = soft_nms(np.zeros((0, 4)), np.zeros(0), 0.4, 0.5, inside=1.0)
    assert len(kept) == len(lowered) == 0


def test_soft_suppression_without_overlaps_is_the_hard_one() -> None:
    rng = np.random.default_rng(0)
    low = rng.uniform(0, 400, (60, 2))
    boxes, scores = np.concatenate([low, low + rng.uniform(10, 40, (60, 2))], axis=1), rng.uniform(0.1, 1, 60)
    hard = [indices[0] for indices in group(boxes, scores, 0.4)]
    kept, lowered = soft_nms(boxes[hard], scores[hard], 0.4, 0.1, inside=0.6)
    assert kept.tolist() == list(range(len(hard)))
    np.testing.assert_array_equal(lowered, scores[hard])


@pytest.mark.parametrize(("width", "height"), [(640, 480), (480, 640), (1000, 90), (7, 7)])
def test_tiles_cover_every_pixel_and_overlap(width: int, height: int) -> None:
    """Catches a gap between tiles, in which a small face would be lost."""
    covered = np.zeros((height, width), bool)
    found = list(squares(width, height, (2,)))
    for side, x, y in found:
        rows = slice(max(0, round(y - side / 2 + 0.5)), round(y + side / 2 + 0.5))
        columns = slice(max(0, round(x - side / 2 + 0.5)), round(x + side / 2 + 0.5))
        covered[rows, columns] = True
    assert covered.all()
    across = sorted({x for _, x, _ in found})
    assert all(right - left <= 0.75 * found[0][0] + 1e-9 for left, right in itertools.pairwise(across))


@pytest.mark.parametrize(
    ("width", "height", "side"), [(6400, 400, 400), (1600, 649, 649), (90, 1000, 90), (300, 200, 150)]
)
def test_every_face_up_to_the_shared_part_is_whole_in_a_tile(width: int, height: int, side: int) -> None:
    windows = list(tile_windows(width, height, side, 1 / 3))
    assert all(0 <= x0 < x1 <= width and 0 <= y0 < y1 <= height for x0, y0, x1, y1 in windows)
    assert all((x1 - x0, y1 - y0) == (side, side) for x0, y0, x1, y1 in windows)
    face = side // 3 - 2
    for left in range(0, width - face, 7):
        assert any(x0 <= left and left + face <= x1 for x0, _, x1, _ in windows), left
    for top in range(0, height - face, 7):
        assert any(y0 <= top and top + face <= y1 for _, y0, _, y1 in windows), top
