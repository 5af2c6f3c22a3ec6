"""Decoded outputs equal the encoded ones, within the stated error of half precision and of blocks of cells."""

import pytest
import torch
from torch import Tensor

from distill.models import Prediction
from distill.models.heatmaps import gaussian_maps, soft_argmax
from distill.training.teacher_cache.codec import MapCodec


def _outputs(h: int = 32, w: int = 40, scale: float = 3.0) -> Prediction:
    rng = torch.Generator().manual_seed(0)
    points = torch.rand(4, 6, 2, generator=rng)
    background = 1e-3 * torch.rand(4, 6, h, w, generator=rng)
    maps = scale * (gaussian_maps(points, h, w, 1.5) + background)
    return Prediction(soft_argmax(maps), maps)


def _through(codec: MapCodec, outputs: Prediction) -> tuple[Prediction, list[bytes]]:
    records = codec.encode(outputs)
    assert {len(record) for record in records} == {codec.size}
    return codec.decode(records), records


def assert_rounded(decoded: Prediction, outputs: Prediction) -> None:
    maps = outputs.part("heatmaps").double()
    error = (decoded.part("heatmaps").double() - maps).abs()
    allowed = maps / 2048 + maps.amax((-2, -1), keepdim=True) * 2**-25
    assert bool((error <= allowed * 1.001).all())


@pytest.mark.parametrize("scale", [1e-9, 3.0, 1e9])
def test_whole_maps_lose_half_precision_at_any_scale(scale: float) -> None:
    outputs = _outputs(scale=scale)
    decoded, _ = _through(MapCodec(6, 32, 40), outputs)
    assert torch.equal(decoded.landmarks, outputs.landmarks)
    assert_rounded(decoded, outputs)


def test_the_window_is_exact_and_the_rest_keeps_its_mass_and_position() -> None:
    outputs, codec = _outputs(), MapCodec(6, 32, 40, 15)
    decoded, records = _through(codec, outputs)
    maps, found = outputs.part("heatmaps"), decoded.part("heatmaps")
    assert torch.equal(decoded.landmarks, outputs.landmarks)
    peak = maps.amax((-2, -1), keepdim=True)
    assert float(((found - maps).abs() / peak)[maps > 0.05 * peak].max()) < 1e-3
    assert torch.allclose(found.sum((-2, -1)), maps.sum((-2, -1)), rtol=1e-3)
    moved = (soft_argmax(found) - soft_argmax(maps)).norm(dim=-1) * 128
    assert float(moved.max()) < 0.05, "in pixels of a 128 px crop"
    assert len(records[0]) * 6 < maps[0].numel() * 4


def test_mass_far_from_the_peak_is_stored() -> None:
    """Cut off, a second blob of a tenth of the mass would move the centre by several cells."""
    maps = torch.zeros(1, 1, 32, 32)
    maps[..., 4, 4], maps[..., 27, 28] = 0.9, 0.1
    decoded, _ = _through(MapCodec(1, 32, 32, 15), Prediction(soft_argmax(maps), maps))
    assert float((soft_argmax(decoded.part("heatmaps")) - soft_argmax(maps)).abs().max() * 32) < 0.25


def test_encoding_again_changes_no_bit() -> None:
    codec = MapCodec(6, 32, 40)
    decoded, records = _through(codec, _outputs())
    assert codec.encode(decoded) == records


@pytest.mark.parametrize("maps", [torch.zeros(1, 2, 16, 16), torch.ones(1, 2, 16, 16)])
def test_empty_and_flat_maps(maps: Tensor) -> None:
    for window in (0, 9):
        decoded, _ = _through(MapCodec(2, 16, 16, window), Prediction(torch.zeros(1, 2, 2), maps))
        assert torch.equal(decoded.part("heatmaps"), maps)


def test_small_maps_and_those_that_do_not_divide_are_stored_whole() -> None:
    assert MapCodec(1, 12, 12, 15).blocks == 0
    assert MapCodec(1, 30, 30, 15).window_shape == (30, 30)
    outputs = _outputs(30, 22)
    decoded, _ = _through(MapCodec(6, 30, 22, 15), outputs)
    assert_rounded(decoded, outputs)


def test_a_teacher_without_maps() -> None:
    outputs = Prediction(torch.rand(3, 7, 2))
    decoded, records = _through(MapCodec(7), outputs)
    assert torch.equal(decoded.landmarks, outputs.landmarks)
    assert decoded.heatmaps is None
    assert len(records[0]) == 7 * 8
