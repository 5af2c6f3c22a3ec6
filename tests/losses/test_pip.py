"""PIPNet's loss: zero for the truth, and each term for what it names."""

import torch

from distill.landmarks import load_scheme
from distill.losses.pip import PipLoss
from distill.models import Prediction
from distill.models.pipnet import nearest_landmarks

SCHEME = load_scheme("five")
LANDMARKS = torch.tensor([[[0.3, 0.3], [0.7, 0.32], [0.5, 0.55], [0.35, 0.8], [0.64, 0.79]]])


def _perfect(cells: int = 8) -> Prediction:
    """Scores and offsets of the truth; other cells hold offsets that must not count."""
    scores = torch.zeros(1, 5, cells, cells)
    offsets = torch.full((1, 2, 5, cells, cells), 99.0)
    near = torch.full((1, 2, 4, 5, cells, cells), 99.0)
    for k, point in enumerate(LANDMARKS[0] * cells):
        column, row = (int(value) for value in point)
        corner = torch.tensor([column, row])
        scores[0, k, row, column] = 1
        offsets[0, :, k, row, column] = point - corner
        for rank, neighbour in enumerate(nearest_landmarks("five")[k]):
            near[0, :, rank, k, row, column] = LANDMARKS[0, neighbour] * cells - corner
    return Prediction(LANDMARKS, scores=scores, offsets=offsets, neighbour_offsets=near)


def _loss(prediction: Prediction, landmarks: torch.Tensor = LANDMARKS, valid: torch.Tensor | None = None) -> dict:
    return PipLoss(SCHEME)(prediction, landmarks, torch.ones(1, 5, dtype=torch.bool) if valid is None else valid)


def test_the_truth_costs_nothing() -> None:
    assert all(float(term) < 1e-5 for term in _loss(_perfect()).values())


def test_each_term_measures_its_part() -> None:
    perfect = _perfect()
    assert perfect.scores is not None
    assert perfect.offsets is not None
    assert perfect.neighbour_offsets is not None
    scores = _loss(perfect._replace(scores=perfect.scores * 0))
    assert torch.isclose(scores["score"], torch.tensor(10 / 64))
    offsets = _loss(perfect._replace(offsets=perfect.offsets + 0.25))
    assert torch.isclose(offsets["offset"], torch.tensor(0.5))  # x and y
    neighbours = _loss(perfect._replace(neighbour_offsets=perfect.neighbour_offsets + 1))
    assert torch.isclose(neighbours["neighbour"], torch.tensor(2.0))
    for terms, name in ((scores, "score"), (offsets, "offset"), (neighbours, "neighbour")):
        assert torch.isclose(terms["loss"], terms[name], atol=1e-4)


def test_unknown_landmarks_and_those_outside_do_not_count() -> None:
    perfect = _perfect()
    assert perfect.offsets is not None
    worse = perfect._replace(offsets=perfect.offsets + torch.tensor([0, 0, 0, 0, 8.0]).view(1, 1, 5, 1, 1))
    known = torch.tensor([[True, True, True, True, False]])
    assert float(_loss(worse, valid=known)["loss"]) < 1e-5
    outside = LANDMARKS.clone()
    outside[0, 4] = torch.tensor([1.2, float("nan")])
    terms = _loss(worse, outside, known)
    assert torch.isfinite(terms["loss"])
    assert float(terms["offset"]) < 1e-5
