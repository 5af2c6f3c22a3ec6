"""Patches as rows of pixels: the same groups as timm's unfold, and a map that comes back."""

import pytest
import torch

from distill.models.patches import fitted, fold, unfold

PATCH = (2, 3)


@pytest.mark.parametrize("b", [1, 2])
def test_rows_hold_the_pixels_of_one_position_within_a_patch(b: int) -> None:
    """Rows mixed between images, positions or channels would still come back from `fold`."""
    x = torch.arange(b * 5 * 4 * 9).reshape(b, 5, 4, 9).float()
    rows = unfold(x, PATCH)
    assert rows.shape == (b * 6, 6, 5)
    expected = {
        tuple(x[image, :, row::2, column::3].flatten(1).T.flatten().tolist())
        for image in range(b)
        for row in range(2)
        for column in range(3)
    }
    assert {tuple(row.flatten().tolist()) for row in rows} == expected


@pytest.mark.parametrize("b", [1, 3])
def test_fold_returns_the_map(b: int) -> None:
    x = torch.rand(b, 5, 4, 9)
    torch.testing.assert_close(fold(unfold(x, PATCH), (b, 4, 9), PATCH), x, rtol=0, atol=0)


def test_maps_grow_to_the_next_multiple_of_the_patch() -> None:
    x = torch.rand(1, 2, 3, 7)
    assert fitted(x, PATCH, align_corners=True).shape == (1, 2, 4, 9)
    assert fitted(x, (3, 7), align_corners=True) is x
