"""Kept answers are the answers, within what half precision and blocks of cells are said to lose."""

import pytest
import torch
from torch import Tensor

from distill.models import Prediction
from distill.models.heatmaps import gaussian_maps, soft_argmax
from distill.training.teacher_cache.codec import Compact


def _answer(h: int = 32, w: int = 40, scale: float = 3.0) -> Prediction:
    rng = torch.Generator().manual_seed(0)
    points = torch.rand(4, 6, 2, generator=rng)
    background = 1e-3 * torch.rand(4, 6, h, w, generator=rng)
    maps = scale * (gaussian_maps(points, h, w, 1.5) + background)
    return Prediction(soft_argmax(maps), maps)


def _through(compact: Compact, answer: Prediction) -> tuple[Prediction, list[bytes]]:
    records = compact.encode(answer)
    assert {len(record) for record in records} == {compact.size}
    return compact.decode(records), records


def assert_rounded(kept: Prediction, answer: Prediction) -> None:
    maps = answer.part("heatmaps").double()
    error = (kept.part("heatmaps").double() - maps).abs()
    allowed = maps / 2048 + maps.amax((-2, -1), keepdim=True) * 2**-25
    assert bool((error <= allowed * 1.001).all())


@pytest.mark.parametrize("scale", [1e-9, 3.0, 1e9])
def test_whole_maps_lose_half_precision_at_any_scale(scale: float) -> None:
    answer = _answer(scale=scale)
    kept, _ = _through(Compact(6, 32, 40), answer)
    assert torch.equal(kept.landmarks, answer.landmarks)
    assert_rounded(kept, answer)


def test_the_window_is_sharp_and_the_rest_keeps_its_mass_and_place() -> None:
    answer, compact = _answer(), Compact(6, 32, 40, 15)
    kept, records = _through(compact, answer)
    maps, found = answer.part("heatmaps"), kept.part("heatmaps")
    assert torch.equal(kept.landmarks, answer.landmarks)
    peak = maps.amax((-2, -1), keepdim=True)
    assert float(((found - maps).abs() / peak)[maps > 0.05 * peak].max()) < 1e-3
    assert torch.allclose(found.sum((-2, -1)), maps.sum((-2, -1)), rtol=1e-3)
    moved = (soft_argmax(found) - soft_argmax(maps)).norm(dim=-1) * 128
    assert float(moved.max()) < 0.05, "in pixels of a 128 px crop"
    assert len(records[0]) * 6 < maps[0].numel() * 4


def test_what_lies_far_from_the_peak_is_not_forgotten() -> None:
    """Cut off, a second blob of a tenth of the mass would move the centre by several cells."""
    maps = torch.zeros(1, 1, 32, 32)
    maps[..., 4, 4], maps[..., 27, 28] = 0.9, 0.1
    kept, _ = _through(Compact(1, 32, 32, 15), Prediction(soft_argmax(maps), maps))
    assert float((soft_argmax(kept.part("heatmaps")) - soft_argmax(maps)).abs().max() * 32) < 0.25


def test_reading_and_keeping_again_changes_no_bit() -> None:
    compact = Compact(6, 32, 40)
    once, records = _through(compact, _answer())
    assert compact.encode(once) == records


@pytest.mark.parametrize("maps", [torch.zeros(1, 2, 16, 16), torch.ones(1, 2, 16, 16)])
def test_empty_and_flat_maps(maps: Tensor) -> None:
    for window in (0, 9):
        kept, _ = _through(Compact(2, 16, 16, window), Prediction(torch.zeros(1, 2, 2), maps))
        assert torch.equal(kept.part("heatmaps"), maps)


def test_small_maps_and_those_that_do_not_divide_are_kept_whole() -> None:
    assert Compact(1, 12, 12, 15).blocks == 0
    assert Compact(1, 30, 30, 15).kept == (30, 30)
    answer = _answer(30, 22)
    kept, _ = _through(Compact(6, 30, 22, 15), answer)
    assert_rounded(kept, answer)


def test_a_teacher_without_maps() -> None:
    answer = Prediction(torch.rand(3, 7, 2))
    kept, records = _through(Compact(7), answer)
    assert torch.equal(kept.landmarks, answer.landmarks)
    assert kept.heatmaps is None
    assert len(records[0]) == 7 * 8
