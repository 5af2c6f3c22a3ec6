"""The anisotropic attention head: what masks what."""

import numpy as np
import torch

from distill.landmarks import Edge, Scheme
from distill.models.heads import AAMHead
from distill.models.heatmaps import soft_argmax


def _scheme() -> Scheme:
    """Four points: on no edge, on one, on two, on the other one."""
    edges = (Edge("a", (1, 2), False), Edge("b", (2, 3), False))
    return Scheme("made", "made", 4, (0, 1, 2, 3), {"all": (0, 1, 2, 3)}, edges, None, None, {})


def test_points_are_masked_by_the_edges_they_lie_on() -> None:
    torch.manual_seed(0)
    head = AAMHead(8, _scheme())
    features = torch.randn(2, 8, 16, 16)
    landmarks, fused, points, edges = head(features)[:4]
    heat = torch.nn.functional.instance_norm(head.heatmap(features)).relu()
    masks = [torch.ones(2, 16, 16), edges[:, 0], edges[:, 0] + edges[:, 1], edges[:, 1]]
    expected = heat * torch.stack(masks, 1) * points
    assert torch.allclose(fused, expected, atol=1e-5)
    assert torch.allclose(landmarks, soft_argmax(fused))
    assert torch.equal(points, head.point(features).sigmoid())
    assert torch.equal(edges, head.edge(features).sigmoid())


def test_constants_of_the_scheme_are_not_weights() -> None:
    head = AAMHead(8, _scheme())
    assert {name.split(".")[0] for name in head.state_dict()} == {"heatmap", "point", "edge"}
    assert np.array_equal(head.edges_of_point[..., 0, 0].numpy(), _scheme().edge_matrix)


def test_fused_maps_stay_in_float32_under_autocast() -> None:
    head = AAMHead(8, _scheme())
    with torch.autocast("cpu", dtype=torch.bfloat16):
        prediction = head(torch.randn(1, 8, 16, 16))
    assert prediction.heatmaps.dtype == prediction.landmarks.dtype == torch.float32
