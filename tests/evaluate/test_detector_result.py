"""Numbers of a detector's evaluation, by hand."""

import numpy as np
import pytest

from distill.detection.metrics import match_photo
from distill.evaluate.detector_result import DetectorEvaluation, DetectorProtocol

FACES = np.array([[0, 0, 20, 20], [100, 0, 130, 30], [200, 0, 270, 70]], float)
FALSE = np.array([[400, 400, 420, 420]], float)


@pytest.fixture
def evaluation() -> DetectorEvaluation:
    """Two photos of three faces: in one the smallest is missed, in the other one box is on nothing."""
    none = np.zeros(3, bool)
    matches = (
        match_photo(FACES[1:], np.array([0.9, 0.6]), FACES, none),
        match_photo(np.vstack([FACES, FALSE]), np.array([0.5, 0.8, 0.7, 0.4]), FACES, none),
    )
    protocol = DetectorProtocol(("label.txt",), 2, 6, 0, "d" * 64, "own", 320, "m" * 64)
    return DetectorEvaluation("net", protocol, 0.55, matches, np.full((2, 5), 0.04), {})


def test_recall_precision_and_false_boxes_at_a_score(evaluation: DetectorEvaluation) -> None:
    at = evaluation.at(0.55)
    assert at["recall"] == pytest.approx(4 / 6)
    assert at["precision"] == 1
    assert at["false_per_photo"] == 0
    low = evaluation.at(0.3)
    assert (low["recall"], low["precision"], low["false_per_photo"]) == pytest.approx((5 / 6, 5 / 6, 0.5))


def test_recall_by_size(evaluation: DetectorEvaluation) -> None:
    at = evaluation.at(0.3)
    assert at["faces_by_size"] == {"0-16": 0, "16-24": 2, "24-32": 2, "32-48": 0, "48-64": 0, "64-": 2}
    assert at["recall_by_size"]["16-24"] == 0.5
    assert at["recall_by_size"]["64-"] == 1
    assert np.isnan(at["recall_by_size"]["0-16"])


def test_json_holds_everything(evaluation: DetectorEvaluation) -> None:
    content = evaluation.to_json()
    assert content["five_points"] == {"faces": 2, "nme_percent": pytest.approx(4)}
    assert content["at_1_false_box"]["score"] == 0
    assert content["ap"] == evaluation.ap
    assert content["protocol"]["iou"] == 0.5
    assert content["at_1_false_box"]["recall_by_size"]["0-16"] is None  # no such face
