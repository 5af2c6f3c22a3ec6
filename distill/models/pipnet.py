"""PIPNet (Jin, Liao and Shao, IJCV 2021, arXiv 2003.03771): a class and an offset in each cell of a coarse map.

The backbone's last map (stride 32) goes into 1x1 convolutions. For each landmark they predict a score per cell, the
offset of the landmark from the corner of the cell that holds it, and the offsets of its nearest landmarks from the same
corner. A landmark is decoded in the cell of its highest score; its position is the mean of its own and of what the
landmarks that have it as a neighbour predict for it.

Differences to the authors' code: neighbours are the nearest points of the neutral generated head instead of those of
the mean face of a data set, and all predictions of a point weigh the same (the code fills rows of unequal length by
repetition). With 68 points on MobileNetV3-Large that makes the 4.47 M weights of the Lite-HRNet Plus paper. It does not
describe the backbone of its PIPNet of 0.79 M weights: MobileNetV3-Small of width 0.5, which makes 0.72 M, is nearest.
"""

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from distill.data.pose import head_points
from distill.models.annotation_shift import AnnotationShift
from distill.models.backbone import Pretrained, create_backbone
from distill.models.heads import Prediction
from distill.models.heatmap_net import HeatmapNet
from distill.models.zoo import register

NEIGHBOURS = 10
_BACKBONES = {
    "pipnet_mobilenet_v3": "mobilenetv3_large_100",
    "pipnet_mobilenet_v3_small_050": "mobilenetv3_small_050",
    "pipnet_resnet18": "resnet18",
}


@lru_cache
def nearest_landmarks(scheme: str, count: int = NEIGHBOURS) -> tuple[tuple[int, ...], ...]:
    """Return for each landmark of a scheme those nearest to it on a frontal face, nearest first.

    Raises:
        ConfigError: a scheme whose points the generated head does not have.
    """
    points = head_points(scheme)[:, :2]
    distances = np.linalg.norm(points[:, None] - points[None], axis=-1)
    np.fill_diagonal(distances, np.inf)
    order = np.argsort(distances, axis=1, kind="stable")[:, : min(count, len(points) - 1)]
    return tuple(tuple(int(index) for index in row) for row in order)


def merge_weights(neighbours: Sequence[Sequence[int]]) -> Float[Tensor, "k n"]:
    """Return the matrix from all predictions of all landmarks to the mean of those for each.

    Columns: each landmark's own prediction, then those of the first neighbours, of the second ones, and so on.
    """
    k, count = len(neighbours), len(neighbours[0])
    weights = torch.zeros(k, k * (1 + count))
    weights[:, :k] = torch.eye(k)
    for landmark, row in enumerate(neighbours):
        for rank, neighbour in enumerate(row):
            weights[neighbour, k * (1 + rank) + landmark] = 1
    return weights / weights.sum(1, keepdim=True)


class LastMap(nn.Module):
    """The neck: hands on the deepest map."""

    strides = (32,)

    def forward(self, features: Sequence[Tensor]) -> Tensor:
        """Return the last of the features."""
        return features[-1]


class PipHead(nn.Module):
    """Scores, offsets and offsets of neighbours in each cell, decoded to landmarks.

    Args:
        channels: of the map.
        neighbours: of each landmark, from `nearest_landmarks`.
    """

    merge: Tensor

    def __init__(self, channels: int, neighbours: Sequence[Sequence[int]]):
        super().__init__()
        k, count = len(neighbours), len(neighbours[0])
        self.count, self.shift = count, AnnotationShift()
        self.score = nn.Conv2d(channels, k, 1)
        self.x, self.y = nn.Conv2d(channels, k, 1), nn.Conv2d(channels, k, 1)
        self.near_x, self.near_y = nn.Conv2d(channels, count * k, 1), nn.Conv2d(channels, count * k, 1)
        for conv in (self.score, self.x, self.y, self.near_x, self.near_y):
            nn.init.normal_(conv.weight, std=1e-3)
            nn.init.zeros_(conv.bias)  # type: ignore[arg-type]  # they have one
        self.register_buffer("merge", merge_weights(neighbours)[:, :, None, None], persistent=False)

    def forward(self, features: Float[Tensor, "b c h w"]) -> Prediction:
        """Map -> landmarks, and the parts that `distill.losses.pip` trains."""
        scores = self.score(features).float()
        own = [conv(features).float() for conv in (self.x, self.y)]
        near = [conv(features).float() for conv in (self.near_x, self.near_y)]
        height, width = scores.shape[-2:]
        with torch.autocast(scores.device.type, enabled=False):
            top = self._best_cell(scores)
            column = torch.arange(width, device=scores.device).view(1, 1, 1, width)
            row = torch.arange(height, device=scores.device).view(1, 1, height, 1)
            x = self._decode(top, own[0], near[0], column) / width
            y = self._decode(top, own[1], near[1], row) / height
        return Prediction(
            self.shift(torch.cat([x, y], 3).flatten(2)),
            scores=scores,
            offsets=torch.stack(own, 1),
            neighbour_offsets=torch.stack(near, 1).unflatten(2, (self.count, -1)),
        )

    def _best_cell(self, scores: Float[Tensor, "b k h w"]) -> Float[Tensor, "b p h w"]:
        """Return the cell of every prediction as weights of sum 1; of equally high cells each has its share.

        Written without indices, which converters spread over many operators, and without concatenating a map with
        itself, which XNNPACK refuses to prepare in larger networks.
        """
        top = (scores >= scores.amax((-2, -1), keepdim=True)).to(scores.dtype)
        return (top / top.sum((-2, -1), keepdim=True)).repeat(1, 1 + self.count, 1, 1)

    def _decode(self, top: Tensor, own: Tensor, near: Tensor, corner: Tensor) -> Float[Tensor, "b k 1 1"]:
        """Return one coordinate of every landmark in cells; `corner` is that of the corner of each cell."""
        at_peak = ((torch.cat([own, near], 1) + corner) * top).sum((-2, -1), keepdim=True)
        return nn.functional.conv2d(at_peak, self.merge)


@register(*_BACKBONES, size=256, loss="pip")
def pipnet(name: str, scheme: str, *, pretrained: Pretrained = False) -> HeatmapNet:
    """Build PIPNet on MobileNetV3-Large, MobileNetV3-Small of width 0.5, or ResNet-18.

    Args:
        name: the zoo name.
        scheme: landmark scheme.
        pretrained: timm's ImageNet weights: true, false or `auto`; see `create_backbone`.

    Raises:
        ConfigError: a scheme whose points the generated head does not have.
    """
    neighbours = nearest_landmarks(scheme)
    body = create_backbone(_BACKBONES[name], pretrained, {}, LastMap.strides)
    head = PipHead(body.feature_info.channels()[-1], neighbours)
    stats = body.default_cfg
    return HeatmapNet(body, LastMap(), head, mean=stats["mean"], std=stats["std"])
