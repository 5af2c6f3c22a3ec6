"""Metrics of detectors on cases that can be computed by hand."""

import numpy as np
import pytest

from distill.detection.metrics import PhotoMatch, average_precision, match_photo, recall, score_at_false_rate

FACES = np.array([[0, 0, 10, 10], [100, 0, 130, 30], [200, 0, 260, 60]], float)
NONE = np.zeros(3, bool)


def match(scores: list[float], boxes: list[int], ignored: np.ndarray = NONE) -> PhotoMatch:
    """Detections exactly on faces 0 to 2; 3 is on no face."""
    spots = np.vstack([FACES, [[400, 400, 420, 420]]])
    return match_photo(spots[boxes], np.array(scores), FACES, ignored)


def test_average_precision_by_hand() -> None:
    # In order: true, false, true; one face of three is missed. Precision at recall 1/3 is 1, at 2/3 it is 2/3.
    assert average_precision([match([0.9, 0.8, 0.7], [0, 3, 1])]) == pytest.approx(1 / 3 + 2 / 3 / 3)


def test_a_second_box_on_a_face_is_false() -> None:
    result = match([0.9, 0.8], [0, 0])
    assert result.true.tolist() == [True, False]
    assert result.false.tolist() == [False, True]


def test_an_ignored_face_counts_nowhere() -> None:
    ignored = np.array([True, False, False])
    result = match([0.9, 0.8, 0.7], [0, 1, 2], ignored)
    assert not result.true[0]
    assert not result.false[0]
    assert average_precision([result]) == 1
    assert np.isnan(recall([result], 0.0, most=15))  # no face of this size counts


def test_overlap_below_the_threshold_is_false() -> None:
    half = np.array([[0, 0, 10, 4.9]])
    assert match_photo(half, np.ones(1), FACES, NONE, iou=0.5).false.tolist() == [True]
    assert match_photo(half, np.ones(1), FACES, NONE, iou=0.4).true.tolist() == [True]


def test_recall_by_size_at_a_rate_of_false_boxes() -> None:
    matches = [match([0.9, 0.6, 0.5], [1, 3, 2]), match([0.8, 0.7], [3, 2])]
    score = score_at_false_rate(matches, 0.5)  # one false box in two photos: that of 0.8
    assert 0.6 < score < 0.7
    assert recall(matches, score) == pytest.approx(2 / 6)
    assert recall(matches, score, least=24) == pytest.approx(2 / 4)
    assert recall(matches, score, least=24, most=40) == pytest.approx(1 / 2)
    assert score_at_false_rate(matches, 2) == 0


def test_photos_without_faces_or_detections() -> None:
    nothing = match_photo(np.zeros((0, 4)), np.zeros(0), np.zeros((0, 4)), np.zeros(0, bool))
    assert np.isnan(average_precision([nothing]))
    assert average_precision([nothing, match([0.5], [0])]) == pytest.approx(1 / 3)
    false = match_photo(FACES, np.ones(3), np.zeros((0, 4)), np.zeros(0, bool))
    assert false.false.all()
