"""The confidence of a map: high for one narrow peak, low where the mass lies elsewhere."""

import pytest
import torch
from torch import nn

from distill.landmarks import load_scheme
from distill.models.confidence import point_confidence
from distill.models.heads import AAMHead
from distill.models.heatmaps import centre_of_mass, gaussian_maps
from distill.models.map_head import MapHead


def _confidence(maps: torch.Tensor) -> list[float]:
    return point_confidence(maps, centre_of_mass(maps))[0].tolist()


def test_wide_and_split_maps_are_less_certain_than_a_narrow_peak() -> None:
    points = torch.tensor([[[0.3, 0.4], [0.3, 0.4], [0.3, 0.4]]])
    narrow, wide, away = (
        gaussian_maps(at, 32, 48, sigma)[:, :1]
        for at, sigma in ((points, 0.8), (points, 4.0), (torch.tensor([[[0.8, 0.7]]]), 0.8))
    )
    split, flat, empty = narrow + away, torch.ones(1, 1, 32, 48), torch.zeros(1, 1, 32, 48)
    found = _confidence(torch.cat([narrow, wide, split, flat, empty], 1))
    assert found[0] > 0.85
    assert found[0] - 0.4 > found[1] > 0.2
    # The centre of two peaks lies between them, where there is nothing.
    assert max(found[2], found[3]) < 0.05
    assert found[4] == 0


def test_neither_the_scale_of_a_map_nor_its_resolution_nor_the_place_of_the_peak_matters() -> None:
    points = torch.tensor([[[0.3, 0.4], [0.52, 0.61], [0.7, 0.25]]])
    first = _confidence(gaussian_maps(points, 32, 32, 1.5))
    assert first == pytest.approx(_confidence(1000 * gaussian_maps(points, 32, 32, 1.5)), abs=1e-5)
    assert first == pytest.approx(_confidence(gaussian_maps(points, 64, 64, 3.0)), abs=2e-3)
    assert max(first) - min(first) < 2e-3


@pytest.mark.parametrize("decode", ["aam", "soft", "quarter"])
def test_heads_give_a_confidence_in_evaluation_alone(decode: str) -> None:
    scheme = load_scheme("five")
    head = AAMHead(4, scheme) if decode == "aam" else MapHead(nn.Conv2d(4, scheme.n_points, 1), decode)
    features = torch.randn(2, 4, 16, 16)
    assert head.train()(features).confidence is None
    prediction = head.eval()(features)
    assert prediction.confidence is not None
    assert prediction.confidence.shape == (2, scheme.n_points)
    # What is distilled, averaged or cached must not change by it.
    assert "confidence" not in prediction.parts
