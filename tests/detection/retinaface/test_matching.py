"""Matching of priors and faces."""

import torch

from distill.detection.retinaface.anchors import AnchorConfig, anchor_boxes
from distill.detection.retinaface.coding import corners
from distill.detection.retinaface.matching import NEGATIVE, NOT_COUNTED, MatchConfig, covered_share, match

PRIORS = corners(anchor_boxes(AnchorConfig(), 64, 64))


def run(*faces: list[float], ignored: tuple[int, ...] = (), config: MatchConfig | None = None) -> torch.Tensor:
    boxes = torch.tensor(faces, dtype=torch.float32).reshape(-1, 4)
    flags = torch.zeros(len(boxes), dtype=torch.bool)
    flags[list(ignored)] = True
    return match(PRIORS, boxes, flags, config or MatchConfig())


def test_without_faces_everything_is_negative() -> None:
    assert (run() == NEGATIVE).all()


def test_every_face_gets_its_best_prior_and_as_many_as_wanted() -> None:
    # Two small faces, the second of a size and place that no prior overlaps by 0.4.
    matched = run([6.0, 6.0, 18.0, 20.0], [35.0, 35.0, 43.0, 43.0])
    assert [int((matched == face).sum()) >= 3 for face in (0, 1)] == [True, True]


def test_priors_between_the_thresholds_do_not_count() -> None:
    face = torch.tensor([[6.0, 6.0, 30.0, 30.0]])
    overlap = torch.stack([covered_share(PRIORS, face)])  # only to find priors that touch the face
    matched = run([6.0, 6.0, 30.0, 30.0], config=MatchConfig(least=1))
    assert (matched == NOT_COUNTED).any()
    assert (matched[overlap[0] == 0] == NEGATIVE).all()


def test_ignored_regions_are_neither_positive_nor_negative() -> None:
    matched = run([0.0, 0.0, 40.0, 40.0], ignored=(0,))
    inside = covered_share(PRIORS, torch.tensor([[0.0, 0.0, 40.0, 40.0]])) >= 0.5
    assert (matched[inside] == NOT_COUNTED).all()
    assert (matched[~inside] == NEGATIVE).all()


def test_a_face_inside_an_ignored_region_stays_positive() -> None:
    matched = run([0.0, 0.0, 60.0, 60.0], [10.0, 10.0, 34.0, 34.0], ignored=(0,))
    assert (matched == 1).sum() >= 3
    assert not (matched == 0).any()


def test_a_face_too_small_for_any_prior_is_ignored() -> None:
    matched = run([10.0, 10.0, 12.0, 12.0], [30.0, 30.0, 50.0, 50.0])
    assert not (matched == 0).any()
    assert (matched == 1).any()
