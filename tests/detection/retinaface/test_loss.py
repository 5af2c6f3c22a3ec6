"""RetinaFace's loss: its minimum, hard-negative mining, ignored priors, points only where labelled."""

import pytest
import torch

from distill.detection.retinaface.anchors import AnchorConfig, anchor_boxes
from distill.detection.retinaface.coding import corners, encode_boxes, encode_points
from distill.detection.retinaface.loss import DetectionLoss, DetectionLossConfig, Faces, points_loss, score_loss
from distill.detection.retinaface.matching import NEGATIVE, NOT_COUNTED, MatchConfig, match
from distill.detection.retinaface.net import RawDetections
from distill.errors import ConfigError

SIZE = 64
ANCHORS = anchor_boxes(AnchorConfig(), SIZE, SIZE)
POINTS = torch.tensor([[14.0, 16], [24, 16], [19, 21], [15, 26], [23, 26]])
FACES = Faces(torch.tensor([[8.0, 8.0, 30.0, 32.0]]), torch.tensor([False]), POINTS[None])


def perfect(faces: Faces) -> RawDetections:
    matched = match(corners(ANCHORS), faces.boxes, faces.ignored, MatchConfig())
    face = matched.clamp(min=0)
    boxes, points = faces.boxes[face], faces.points[face].nan_to_num()
    logits = torch.where(matched >= 0, 30.0, -30.0)
    return RawDetections(logits[None], encode_boxes(boxes, ANCHORS)[None], encode_points(points, ANCHORS)[None])


@pytest.mark.parametrize("box_loss", ["diou", "smooth_l1"])
def test_a_perfect_output_has_no_loss(box_loss: str) -> None:
    loss = DetectionLoss(AnchorConfig(), DetectionLossConfig(box_loss=box_loss))  # type: ignore[arg-type]
    terms = loss(perfect(FACES), [FACES], SIZE, SIZE)
    assert set(terms) == {"loss", "score", "box", "points"}
    assert float(terms["loss"]) == pytest.approx(0, abs=1e-5)


def test_faces_of_each_image_are_its_own() -> None:
    other = Faces(FACES.boxes + 25, FACES.ignored, FACES.points + 25)
    raw = RawDetections(*(torch.cat(parts) for parts in zip(perfect(FACES), perfect(other), strict=True)))
    loss = DetectionLoss(AnchorConfig())
    assert float(loss(raw, [FACES, other], SIZE, SIZE)["loss"]) == pytest.approx(0, abs=1e-5)
    assert float(loss(raw, [other, FACES], SIZE, SIZE)["loss"]) > 1


def test_hard_negatives_alone_count() -> None:
    logits = torch.tensor([[5.0, 4.0, 3.0, 2.0, 9.0]])
    matched = torch.tensor([[0, NEGATIVE, NEGATIVE, NEGATIVE, NOT_COUNTED]])
    config = DetectionLossConfig(negatives=2, least_negatives=0)
    expected = torch.nn.functional.softplus(torch.tensor([-5.0, 4.0, 3.0])).sum()
    assert torch.allclose(score_loss(logits, matched, config), expected)


def test_images_without_faces_count() -> None:
    logits = torch.tensor([[1.0, 0.0, -1.0]])
    matched = torch.full((1, 3), NEGATIVE)
    expected = torch.nn.functional.softplus(torch.tensor([1.0, 0.0])).sum()
    assert torch.allclose(score_loss(logits, matched, DetectionLossConfig(least_negatives=2)), expected)


def test_faces_without_points_teach_none() -> None:
    missing = Faces(FACES.boxes, FACES.ignored, torch.full((1, 5, 2), torch.nan))
    raw = RawDetections(*(part.clone().requires_grad_() for part in perfect(missing)))
    terms = DetectionLoss(AnchorConfig())(raw, [missing], SIZE, SIZE)
    terms["loss"].backward()
    assert terms["points"].item() == 0
    assert raw.points.grad is None or not raw.points.grad.any()
    labelled = points_loss(torch.ones(1, 10), POINTS[None], torch.tensor([[19.0, 20.0, 16.0, 16.0]]))
    assert float(labelled) > 0


def test_weights_are_checked() -> None:
    with pytest.raises(ConfigError, match=r"--loss.box"):
        DetectionLossConfig(box=-1)
