"""Patches of MobileViT's maps by reshapes and transposes of at most four axes."""

import math
from typing import Any

from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

Patch = tuple[int, int]


def patch_size(block: Any) -> Patch:
    """Return height and width of the patches of a MobileViT block of timm."""
    rows, columns = block.patch_size
    return int(rows), int(columns)


def fitted(x: Float[Tensor, "b c h w"], patch: Patch, align_corners: bool) -> Float[Tensor, "b c h2 w2"]:
    """Resize a map to the next multiple of the patch, as timm does; a map that is one is returned as it is."""
    sizes = [math.ceil(int(size) / side) * side for size, side in zip(x.shape[2:], patch, strict=True)]
    return resized(x, (sizes[0], sizes[1]), align_corners)


def resized(x: Float[Tensor, "b c h w"], size: tuple[int, int], align_corners: bool) -> Float[Tensor, "b c h2 w2"]:
    """Resize a map bilinearly; one of this size is returned as it is."""
    if size == (int(x.shape[2]), int(x.shape[3])):
        return x
    return F.interpolate(x, size=size, mode="bilinear", align_corners=align_corners)


def unfold(x: Float[Tensor, "b c h w"], patch: Patch) -> Float[Tensor, "g n c"]:
    """Return the pixels of a map by their position within a patch.

    Args:
        x: height and width are multiples of the patch.
        patch: height and width.

    Returns:
        a row for each image and position within a patch (g = b x rows x columns), with the n patches along it.
    """
    b, c, h, w = (int(size) for size in x.shape)
    rows, columns = patch
    n_patches = (h // rows) * (w // columns)
    # Channel-last, with (columns, c) as one axis: row positions to the front first, then column positions.
    x = x.permute(0, 2, 3, 1).reshape(b * h // rows, rows, w // columns, columns * c).permute(1, 0, 2, 3)
    x = x.reshape(rows * b, n_patches, columns, c).permute(0, 2, 1, 3)
    return x.reshape(rows * b * columns, n_patches, c)


def fold(x: Float[Tensor, "g n c"], shape: tuple[int, int, int], patch: Patch) -> Float[Tensor, "b c h w"]:
    """Return the map of images, height and width `shape` that `unfold` made rows of."""
    b, h, w = shape
    rows, columns = patch
    n_patches, c = (int(size) for size in x.shape[1:])
    x = x.reshape(rows * b, columns, n_patches, c).permute(0, 2, 1, 3)
    x = x.reshape(rows, b * h // rows, w // columns, columns * c).permute(1, 0, 2, 3)
    return x.reshape(b, h, w, c).permute(0, 3, 1, 2)
