"""PFLD (arXiv 1902.10859): MobileNetV2 blocks, features of three scales, one linear layer, a pose net beside them.

Widths and blocks are the paper's table 1. What it leaves open is settled by the counts of the mobile thesis for 68
points, 1,236,544 and 322,864:

* every batch norm counts with its four vectors, and there is no bias anywhere, in the last 7 x 7 convolution and the
  linear layer neither; that convolution has no norm;
* the width factor scales the output of a block (64, 128, 16, 32 and 128 channels), not its expansion: blocks have
  128, 512 and 256 channels in PFLD 0.25 too.

Blocks are MobileNetV2's (arXiv 1801.04381): the depthwise convolution has the stride. Coordinates are predicted
relative to the middle of the crop, which a layer without bias would otherwise have to learn.

The *pose net* (table 2 of the paper) predicts the head pose from the 28 x 28 map. It exists in training
only, where `distill.losses.pfld` weighs each face by its error; nothing of it is run in evaluation or exported.
"""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn

from distill.data.pose import head_points
from distill.errors import ConfigError
from distill.landmarks import load_scheme
from distill.models.heads import Prediction
from distill.models.regression import DenseHead, RegressionNet
from distill.models.zoo import register

# (expanded channels, channels handed on at width 1, blocks, stride of the first), table 1 of the paper.
_SHALLOW = ((128, 64, 5, 2),)
_DEEP = ((128, 128, 1, 2), (512, 128, 6, 1), (256, 16, 1, 1))
_STEM, _DOWN, _LAST = 64, 32, 128
_WIDTHS = {"pfld_025": 0.25, "pfld_100": 1.0}


def _conv(in_channels: int, out_channels: int, kernel: int, stride: int = 1, groups: int = 1) -> nn.Sequential:
    conv = nn.Conv2d(in_channels, out_channels, kernel, stride, kernel // 2, groups=groups, bias=False)
    nn.init.kaiming_normal_(conv.weight, nonlinearity="relu")
    return nn.Sequential(conv, nn.BatchNorm2d(out_channels))


class InvertedResidual(nn.Module):
    """MobileNetV2's block: 1x1 to `inner` channels, depthwise 3x3, linear 1x1; added to its input if shapes agree."""

    def __init__(self, in_channels: int, inner: int, out_channels: int, stride: int):
        super().__init__()
        self.expand, self.depthwise = _conv(in_channels, inner, 1), _conv(inner, inner, 3, stride, groups=inner)
        self.project = _conv(inner, out_channels, 1)
        self.act = nn.ReLU6(inplace=True)
        self.shortcut = stride == 1 and in_channels == out_channels

    def forward(self, x: Float[Tensor, "b c h w"]) -> Float[Tensor, "b d h2 w2"]:
        out = self.project(self.act(self.depthwise(self.act(self.expand(x)))))
        return x + out if self.shortcut else out


class PoseNet(nn.Module):
    """The auxiliary net: map (b, c, cells, cells) -> yaw, pitch and roll (b, 3) in radians."""

    def __init__(self, channels: int, cells: int):
        super().__init__()
        convs = [(channels, 128, 3, 2), (128, 128, 3, 1), (128, 32, 3, 2)]
        layers = [nn.Sequential(_conv(*shape), nn.ReLU(inplace=True)) for shape in convs]
        last = nn.Sequential(nn.Conv2d(32, 128, (cells + 3) // 4, bias=False), nn.BatchNorm2d(128), nn.ReLU())
        self.layers = nn.Sequential(*layers, last, nn.Flatten(), nn.Linear(128, 32), nn.Linear(32, 3))

    def forward(self, x: Float[Tensor, "b c h w"]) -> Float[Tensor, "b 3"]:
        return self.layers(x)


class PfldBody(nn.Module):
    """Crops (b, 3, size, size) -> the features of three scales (b, c), concatenated.

    Args:
        width: factor of the channels each block hands on.
        image_size: side of the crops in pixels, a multiple of 16.
    """

    def __init__(self, width: float, image_size: int):
        super().__init__()
        stem, middle, last = (round(width * channels) for channels in (_STEM, _DOWN, _LAST))
        act = nn.ReLU6(inplace=True)
        self.stem = nn.Sequential(_conv(3, stem, 3, stride=2), act, _conv(stem, stem, 3, groups=stem), act)
        self.shallow, shallow = self._blocks(stem, _SHALLOW, width)
        self.deep, deep = self._blocks(shallow, _DEEP, width)
        self.down = nn.Sequential(_conv(deep, middle, 3, stride=2), act)
        whole = nn.Conv2d(middle, last, image_size // 16, bias=False)
        nn.init.kaiming_normal_(whole.weight, nonlinearity="relu")
        self.whole = nn.Sequential(whole, act)
        self.middle, self.channels = shallow, deep + middle + last

    @staticmethod
    def _blocks(channels: int, groups: Sequence[tuple[int, int, int, int]], width: float) -> tuple[nn.Sequential, int]:
        blocks = []
        for inner, out, count, stride in groups:
            for index in range(count):
                blocks.append(InvertedResidual(channels, inner, round(width * out), 1 if index else stride))
                channels = round(width * out)
        return nn.Sequential(*blocks), channels

    def in_two(self, images: Float[Tensor, "b 3 h w"]) -> tuple[Float[Tensor, "b m h4 w4"], Float[Tensor, "b d"]]:
        """Return the map of `middle` channels that the pose net reads, and the features."""
        middle = self.shallow(self.stem(images))
        deep = self.deep(middle)
        down = self.down(deep)
        return middle, torch.cat([deep.mean((2, 3)), down.mean((2, 3)), self.whole(down).flatten(1)], 1)

    def forward(self, images: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b d"]:
        return self.in_two(images)[1]


class PfldHead(DenseHead):
    """One linear layer without bias; it predicts the offset of a landmark from the middle of the crop."""

    def __init__(self, channels: int, n_points: int, uncertainty: bool):
        super().__init__(channels, n_points, layers=0, uncertainty=uncertainty)
        self.points = nn.Linear(channels, 2 * n_points, bias=False)
        nn.init.normal_(self.points.weight, std=1e-3)

    def forward(self, features: Float[Tensor, "b c"]) -> Prediction:
        prediction = super().forward(features)
        return prediction._replace(landmarks=prediction.landmarks + 0.5)


class PfldNet(RegressionNet):
    """PFLD: while it trains with its pose net, the main head's prediction also has the pose (b, 3) in radians.

    Args:
        body, heads, schemes, image_size: see `RegressionNet`.
        pose: the pose net, or None.
    """

    body: PfldBody

    def __init__(
        self, body: PfldBody, heads: Sequence[PfldHead], schemes: Sequence[str], image_size: int, pose: PoseNet | None
    ):
        super().__init__(body, heads, schemes, image_size)
        self.pose = pose

    def forward(self, images: Float[Tensor, "b 3 h w"]) -> Prediction:
        """RGB crops in [0, 1] -> landmarks of the main scheme; see `RegressionNet`."""
        if self.pose is None or not self.training:
            return super().forward(images)
        return self.every_head(images)[self.schemes[0]]

    def every_head(self, images: Float[Tensor, "b 3 h w"]) -> dict[str, Prediction]:
        """Return the prediction of each head by the name of its scheme; the body runs once."""
        if self.pose is None or not self.training:
            return super().every_head(images)
        middle, features = self.body.in_two(images)
        predictions = {scheme: head(features) for scheme, head in zip(self.schemes, self.head, strict=True)}
        main = self.schemes[0]
        return {**predictions, main: predictions[main]._replace(pose=self.pose(middle).float())}


@register("pfld_025", "pfld_100", size=112, loss="pfld")
def pfld(
    name: str,
    scheme: str,
    *,
    image_size: int = 112,
    pose: bool = False,
    others: Sequence[str] = (),
    uncertainty: bool = False,
) -> PfldNet:
    """Build PFLD; the number in its name is the width in percent.

    Args:
        name: `pfld_025` or `pfld_100`.
        scheme: landmark scheme of the main head.
        image_size: side of the square crop in pixels, a multiple of 16.
        pose: train with the pose net beside it; the weights of the network itself are the same in number.
        others: further schemes with a head of their own, for training on several data sets.
        uncertainty: the main head also predicts the standard deviation of its points; Gaussian distillation needs it.

    Raises:
        ConfigError: a size the strides do not divide, a scheme named twice, or a scheme without pose labels.
    """
    if image_size % 16 or image_size < 16:
        raise ConfigError(
            f"image_size {image_size} of {name} is no multiple of 16: take {max(1, image_size // 16) * 16}"
        )
    if pose:
        _require_pose_labels(scheme)
    body, schemes = PfldBody(_WIDTHS[name], image_size), [scheme, *others]
    heads = [
        PfldHead(body.channels, load_scheme(head_scheme).n_points, uncertainty and index == 0)
        for index, head_scheme in enumerate(schemes)
    ]
    return PfldNet(body, heads, schemes, image_size, PoseNet(body.middle, image_size // 4) if pose else None)


def _require_pose_labels(scheme: str) -> None:
    """Refuse a pose net for landmarks that no pose can be read off, before anything is trained."""
    try:
        head_points(scheme)
    except ConfigError as error:
        raise ConfigError(f"pose: no labels for it ({error}); take --model.options '{{pose: false}}'") from error
