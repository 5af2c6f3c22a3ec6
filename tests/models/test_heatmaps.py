"""Maps and points follow one convention, that of `distill.geometry`, at every resolution."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor

from distill.data.pose import head_points
from distill.geometry import denormalise, normalise
from distill.landmarks import Edge, Scheme, load_scheme
from distill.models.heatmaps import (
    as_distribution,
    cell_centres,
    curve_weights,
    edge_maps,
    edge_weights,
    gaussian_maps,
    peaks,
    quarter_peak,
    soft_argmax,
)


@pytest.mark.parametrize("cells", [32, 64])
def test_decoding_undoes_encoding(cells: int, record_property: Callable[[str, object], None]) -> None:
    """10,000 points in all, at least 3 sigma from the border; the error is in pixels, of which a cell has 4 x 4."""
    rng, worst = np.random.default_rng(cells), 0.0
    for sigma in (0.8, 1.0, 1.5, 2.0, 2.5):
        margin = 3 * sigma / cells
        points = torch.from_numpy(rng.uniform(margin, 1 - margin, (20, 50, 2)).astype(np.float32))
        decoded = soft_argmax(gaussian_maps(points, cells, cells, sigma))
        worst = max(worst, float((decoded - points).abs().max()) * 4 * cells)
    record_property("px", float(worst))
    assert worst <= 0.05


def test_cells_are_centred_where_geometry_says() -> None:
    for w, h in ((32, 32), (64, 48)):
        assert np.allclose(
            cell_centres(w, torch.zeros(0)), normalise(np.stack([np.arange(w), np.zeros(w)], 1), w, h)[:, 0]
        )
    # Cell j of a map at stride 4 shows the middle of pixels 4j .. 4j + 3.
    middle = denormalise(np.stack([cell_centres(32, torch.zeros(0)).numpy()] * 2, 1), 128, 128)
    assert np.allclose(middle[:, 0], 4 * np.arange(32) + 1.5, atol=1e-4)


def test_one_hot_maps_decode_to_their_cell() -> None:
    maps = torch.zeros(1, 2, 8, 16)
    maps[0, 0, 0, 0], maps[0, 1, 5, 11] = 3.0, 0.01
    expected = torch.tensor([[[0.5 / 16, 0.5 / 8], [11.5 / 16, 5.5 / 8]]])
    assert torch.allclose(soft_argmax(maps), expected)


def test_empty_maps_stay_empty_and_decode_without_nan() -> None:
    maps = torch.zeros(1, 1, 8, 8)
    assert torch.equal(as_distribution(maps), maps)
    assert torch.isfinite(soft_argmax(maps)).all()
    assert float(as_distribution(torch.rand(2, 3, 8, 8)).sum((-2, -1)).sub(1).abs().max()) < 1e-5


def test_a_gaussian_has_peak_one_at_the_point_and_its_sigma_in_cells() -> None:
    points = torch.tensor([[[8.5 / 32, 4.5 / 16]]])  # the centre of cell (8, 4) of a 32 x 16 map
    maps = gaussian_maps(points, 16, 32, sigma=1.5)
    assert float(maps[0, 0, 4, 8]) == pytest.approx(1)
    assert float(maps[0, 0, 4, 10]) == pytest.approx(float(np.exp(-0.5 * (2 / 1.5) ** 2)), rel=1e-5)
    assert float(maps[0, 0, 7, 8]) == pytest.approx(float(np.exp(-0.5 * (3 / 1.5) ** 2)), rel=1e-5)


def _faces(scheme: Scheme, n: int = 3) -> Tensor:
    return torch.rand(n, scheme.n_points, 2, generator=torch.Generator().manual_seed(7)) * 0.8 + 0.1


@pytest.mark.parametrize("name", ["inner51", "ibug68", "wflw98"])
def test_mirrored_maps_are_the_maps_of_the_mirrored_face(name: str) -> None:
    scheme = load_scheme(name)
    points = _faces(scheme)
    mirrored = torch.stack([1 - points[..., 0], points[..., 1]], -1)[:, list(scheme.flip)]
    maps = gaussian_maps(points, 32, 32, 1.0)
    assert torch.allclose(gaussian_maps(mirrored, 32, 32, 1.0), maps.flip(-1)[:, list(scheme.flip)], atol=1e-4)
    assert torch.allclose(soft_argmax(maps.flip(-1))[..., 0], 1 - soft_argmax(maps)[..., 0], atol=1e-5)


@pytest.mark.parametrize("name", ["inner51", "wflw98"])
def test_ridges_of_a_mirrored_face_are_the_same_set_mirrored(name: str) -> None:
    """Whatever the edges are called, the picture of all of them together is symmetric."""
    scheme = load_scheme(name)
    points = _faces(scheme, 1)
    mirrored = torch.stack([1 - points[..., 0], points[..., 1]], -1)[:, list(scheme.flip)]
    weights = edge_weights(scheme, samples=24)
    drawn = edge_maps(points, weights, 32, 32, 1.5).amax(1)
    again = edge_maps(mirrored, weights, 32, 32, 1.5).amax(1).flip(-1)
    assert float((drawn - again).abs().max()) < 0.05


@pytest.mark.parametrize("closed", [True, False])
def test_curves_pass_through_their_points(closed: bool) -> None:
    edge = Edge("curve", (4, 0, 2, 3), closed)
    weights = curve_weights(edge, 6, samples=5)
    points = torch.rand(6, 2, generator=torch.Generator().manual_seed(1))
    curve = weights @ points
    knots = [*edge.points, 4] if closed else list(edge.points)
    assert len(curve) == 5 * (len(knots) - 1) + 1
    assert torch.allclose(curve[::5], points[knots], atol=1e-6)
    # Affine: moving the points moves the curve along.
    assert torch.allclose(weights.sum(1), torch.ones(len(weights)), atol=1e-6)
    assert float(weights[:, [1, 5]].abs().max()) == 0, "points off the edge have no part in it"


def test_a_closed_curve_returns_and_an_open_one_does_not() -> None:
    square = torch.tensor([[[0.25, 0.25], [0.75, 0.25], [0.75, 0.75], [0.25, 0.75]]])
    on_closing_side = (16, 8)  # row, column of (0.25, 0.5) on 32 cells
    for closed, lit in ((True, True), (False, False)):
        weights = [curve_weights(Edge("square", (0, 1, 2, 3), closed), 4, 10)]
        drawn = edge_maps(square, weights, 32, 32, 1.0)[0, 0]
        row, column = on_closing_side
        assert bool(drawn[row, column - 3 : column + 1].max() > 0.5) is lit


def test_ridges_are_one_on_the_points_and_fall_with_distance() -> None:
    line = torch.tensor([[[4.5 / 32, 8.5 / 32], [28.5 / 32, 8.5 / 32]]])
    drawn = edge_maps(line, [curve_weights(Edge("line", (0, 1), False), 2, 3)], 32, 32, 1.0)[0, 0]
    assert float(drawn[8, 4:29].min()) > 0.999
    assert float(drawn[10, 16]) == pytest.approx(float(np.exp(-2)), rel=1e-4)
    assert float(drawn[8, 31]) == pytest.approx(float(np.exp(-4.5)), rel=1e-4)


@pytest.mark.parametrize("name", ["five", "inner51", "ibug68"])
def test_ridges_have_no_gaps(name: str) -> None:
    """At 64 cells a segment of a few samples is longer than a ridge is wide; it is to be as high all along."""
    scheme = load_scheme(name)
    points = torch.from_numpy(head_points(name)[None, :, :2]).float()
    points = 0.1 + 0.8 * (points - points.amin()) / (points.amax() - points.amin())
    drawn = edge_maps(points, edge_weights(scheme), 64, 64, 1.0)
    for index, edge in enumerate(scheme.edges):
        curve = curve_weights(edge, scheme.n_points, 200) @ points
        x, y = (curve[0] * 64 - 0.5).round().int().unbind(-1)
        # The nearest cell centre is at most sqrt(1/2) away, and lines leave the spline by a fraction of a cell.
        assert float(drawn[0, index, y, x].min()) > np.exp(-0.5 * 0.8**2), edge.name


def test_ridges_are_drawn_in_full_precision_under_autocast() -> None:
    scheme = load_scheme("inner51")
    points = _faces(scheme, 1)
    plain = edge_maps(points, edge_weights(scheme), 64, 64, 1.0)
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(edge_maps(points, edge_weights(scheme), 64, 64, 1.0), plain)


def test_every_scheme_draws_every_edge_through_its_points() -> None:
    for name in ("five", "inner51", "ibug68", "wflw98"):
        scheme = load_scheme(name)
        # Landmarks on cell centres, so that the ridge's crest is a cell.
        cells = torch.randint(4, 28, (1, scheme.n_points, 2), generator=torch.Generator().manual_seed(2))
        drawn = edge_maps((cells + 0.5) / 32, edge_weights(scheme), 32, 32, 1.0)
        assert drawn.shape == (1, len(scheme.edges), 32, 32)
        for index, edge in enumerate(scheme.edges):
            for point in edge.points:
                x, y = cells[0, point].tolist()
                assert float(drawn[0, index, y, x]) > 0.999


@pytest.mark.parametrize("sigma", [1.0, 1.5])
def test_peaks_are_decoded_through_a_background(sigma: float) -> None:
    """Two percent everywhere pull a centre of mass by cells; the part above a fifth of the peak hardly moves."""
    points = torch.rand(50, 20, 2, generator=torch.Generator().manual_seed(0)) * 0.7 + 0.15
    clean = gaussian_maps(points, 24, 24, sigma)
    dirty = (clean + 0.02).requires_grad_()
    decoded = soft_argmax(peaks(dirty))
    assert float((soft_argmax(dirty.detach()) - points).abs().max()) * 24 > 2
    for maps in (clean, dirty.detach()):
        assert float((soft_argmax(peaks(maps)) - points).abs().max()) * 24 < 0.06
    decoded.sum().backward()
    assert dirty.grad is not None
    assert float(dirty.grad.abs().max()) > 0


def test_quarter_offsets_are_within_a_quarter_of_a_cell() -> None:
    points = torch.rand(20, 10, 2, generator=torch.Generator().manual_seed(0)) * 0.8 + 0.1
    decoded = quarter_peak(gaussian_maps(points, 32, 48, 1.5)).flatten(2)
    assert float((decoded - points).abs().mul(torch.tensor([48, 32])).max()) <= 0.2501
