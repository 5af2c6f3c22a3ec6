"""Conditional channel weighting (Lite-HRNet, arXiv 2104.06403, sec. 3.2): a shuffle block without 1x1 convolutions.

A block takes half of each branch's channels, weighs them by all branches (across resolutions), runs a
depthwise 3x3, weighs them again by their own means over space, puts them beside the other half, and shuffles both.

*No channel is moved here.* A shuffle of 2n channels takes position p to 2p mod (2n - 1), the last one
stays. Where a channel is after s blocks is therefore known beforehand: it is in the half that is worked on if
2^s p mod (2n - 1) >= n. So channels stay where they are, and each block has a list of those it works on. Numbers are
those of a shuffling network, whose channels are only named differently; no file needs transposes of whole maps.
"""

from collections.abc import Sequence

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from distill.models.fusion import Branches, conv_norm, resize

_CROSS_REDUCTION, _SPATIAL_REDUCTION = 8, 4


def worked_on(channels: int, step: int) -> Int[Tensor, " half"]:
    """Return the channels, by their first positions, that are in the second half after `step` shuffles, in its order.

    Args:
        channels: an even number.
        step: shuffles before.
    """
    positions = torch.arange(channels)
    for _ in range(step):
        positions = torch.where(positions < channels // 2, 2 * positions, 2 * positions - channels + 1)
    return positions.argsort()[channels // 2 :]


class CrossResolutionWeighting(nn.Module):
    """Weights of every channel at every cell of the smallest map, computed from all branches (eq. 4)."""

    def __init__(self, channels: Sequence[int]):
        super().__init__()
        total = sum(channels)
        self.channels, inner = list(channels), max(1, total // _CROSS_REDUCTION)
        self.squeeze = nn.Sequential(*conv_norm(total, inner, 1), nn.ReLU(inplace=True))
        self.expand = nn.Sequential(*conv_norm(inner, total, 1), nn.Sigmoid())

    def forward(self, branches: Branches) -> list[Tensor]:
        last = len(branches) - 1
        pooled = torch.cat([resize(x, last - i) for i, x in enumerate(branches)], 1)
        weights = self.expand(self.squeeze(pooled)).split(self.channels, 1)
        return [x * resize(weight, i - last) for i, (x, weight) in enumerate(zip(branches, weights, strict=True))]


class SpatialWeighting(nn.Module):
    """Weights of every channel from their means over space (eq. 6)."""

    def __init__(self, channels: int):
        super().__init__()
        inner = max(1, channels // _SPATIAL_REDUCTION)
        self.squeeze = nn.Sequential(nn.Conv2d(channels, inner, 1), nn.ReLU(inplace=True))
        self.expand = nn.Sequential(nn.Conv2d(inner, channels, 1), nn.Sigmoid())

    def forward(self, x: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c h w"]:
        return x * self.expand(self.squeeze(x.mean((2, 3), keepdim=True)))


class ChannelWeighting(nn.Module):
    """One block over all branches.

    Args:
        channels: of the branches, even.
        steps: how many blocks each branch has been through.
    """

    def __init__(self, channels: Sequence[int], steps: Sequence[int]):
        super().__init__()
        halves = [width // 2 for width in channels]
        self.cross = CrossResolutionWeighting(halves)
        self.depthwise = nn.ModuleList(conv_norm(half, half, 3, groups=half) for half in halves)
        self.spatial = nn.ModuleList(SpatialWeighting(half) for half in halves)
        for branch, (width, step) in enumerate(zip(channels, steps, strict=True)):
            self.register_buffer(f"positions{branch}", worked_on(width, step), persistent=False)

    def positions(self, branch: int) -> Int[Tensor, " half"]:
        """Return the channels of a branch that this block works on."""
        indices: Tensor = getattr(self, f"positions{branch}")
        return indices

    def forward(self, branches: Branches) -> list[Tensor]:
        weighed = self.cross([x.index_select(1, self.positions(i)) for i, x in enumerate(branches)])
        done = [spatial(conv(x)) for x, conv, spatial in zip(weighed, self.depthwise, self.spatial, strict=True)]
        return [
            x.index_copy(1, self.positions(i), new.to(x)) for i, (x, new) in enumerate(zip(branches, done, strict=True))
        ]
