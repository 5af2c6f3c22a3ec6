"""DAN, the Deep Alignment Network (arXiv 1706.01789): a stage predicts landmarks, the next one corrects them.

Counts are those of the mobile thesis for 68 points at 112 px, 11,150,664 and 23,108,444 with the four vectors of every
batch norm; they settle that convolutions and the dense layer in front of a norm keep their biases.

* *Stage*: eight 3 x 3 convolutions of 64, 64, 128, ... 512 channels, each with norm and ReLU, the map halved after
  every second; dropout, a dense layer of 256 with norm and ReLU, and a linear layer that moves the landmarks. The first
  stage starts from the mean shape, here that of the neutral generated head.
* *Between stages* the similarity that brings the landmarks to the mean shape is fitted; the crop is warped by it, the
  landmarks are drawn (`1 / (1 + distance)` to the nearest one, within a patch), and the dense layer of the stage before
  becomes a third picture. The next stage moves the straightened landmarks, which are then turned back.

Everything is inside the network: it takes RGB crops, as the others do, and converts them to grey. What happens between
stages is written in operators that every runtime has: one gather of 2 x 2 neighbourhoods instead of a grid sampler, the
inverse of a similarity instead of a matrix inverse, x and y apart in tensors of two axes.

The paper trains stage by stage: `dan_1` first, then `dan_2` from its weights with `frozen: 1` (configs/zoo/dan_2.yaml).
"""

from typing import ClassVar, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn

from distill.data.pose import head_points
from distill.errors import ConfigError
from distill.geometry import Box, CropSpec, apply_affine, crop_affine, normalise
from distill.landmarks import load_scheme
from distill.models.heads import Prediction
from distill.models.zoo import register

_STAGES = {"dan_1": 1, "dan_2": 2}
_CHANNELS, _DENSE = (64, 128, 256, 512), 256
# Weights of red, green and blue in grey (BT.601), and about the mean and spread of grey in crops of faces.
_GREY, _MEAN, _STD = (0.299, 0.587, 0.114), 0.45, 0.25
# Half the side of the patch a landmark is drawn in, in pixels, and what is added to squared distances beyond.
_PATCH, _BEYOND = 8, 1e4
# The straightened face lies in the crop as the configurations' crops have it: this much around its tight box.
_FRAME = CropSpec(scale=1.1, shift_y=-0.1)

Row = Float[Tensor, "b k"]


class Shape(NamedTuple):
    """Points of a batch of faces, normalised to the crop; x and y apart."""

    x: Row
    y: Row


class Similarity(NamedTuple):
    """x' = a x - b y + tx, y' = b x + a y + ty; all (b, 1)."""

    a: Float[Tensor, "b 1"]
    b: Float[Tensor, "b 1"]
    tx: Float[Tensor, "b 1"]
    ty: Float[Tensor, "b 1"]

    def __call__(self, shape: Shape) -> Shape:
        x, y = shape
        return Shape(self.a * x - self.b * y + self.tx, self.b * x + self.a * y + self.ty)

    def inverse(self) -> "Similarity":
        """Return the similarity that takes everything back."""
        squared = self.a.square() + self.b.square()
        a, b = self.a / squared, -self.b / squared
        return Similarity(a, b, b * self.ty - a * self.tx, -(b * self.tx) - a * self.ty)


def fit_similarity(source: Shape, target: Shape) -> Similarity:
    """Return the similarity that brings the points of `source` nearest to those of `target`, by least squares."""
    means = [row.mean(1, keepdim=True) for row in (*source, *target)]
    x, y, u, v = (row - mean for row, mean in zip((*source, *target), means, strict=True))
    # A floor of a thousandth of a crop: points that all fall together have no direction.
    spread = (x.square() + y.square()).sum(1, keepdim=True).clamp_min(1e-6)
    a = (x * u + y * v).sum(1, keepdim=True) / spread
    b = (x * v - y * u).sum(1, keepdim=True) / spread
    return Similarity(a, b, means[2] - (a * means[0] - b * means[1]), means[3] - (b * means[0] + a * means[1]))


def warp(images: Float[Tensor, "b 1 s s"], back: Similarity) -> Float[Tensor, "b 1 s s"]:
    """Sample square pictures bilinearly where `back` takes each pixel's centre; the border goes on outside."""
    batch, _, size, _ = (int(side) for side in images.shape)
    centres = (torch.arange(size, device=images.device) + 0.5) / size
    grid = Shape(centres.repeat(size)[None], centres.repeat_interleave(size)[None])
    x, y = ((row * size - 0.5).clamp(0, size - 1) for row in back(grid))
    left, top = (row.clamp(max=size - 2).floor() for row in (x, y))
    first = torch.arange(batch, device=images.device)[:, None] * size * size
    positions = ((top * size + left).long() + first).reshape(-1)
    # Every pixel beside its right, lower and diagonal neighbour, so that one gather finds all four.
    right = torch.cat([images[..., 1:], images[..., -1:]], 3)
    rows = torch.cat([images, right], 1)
    quads = torch.cat([rows, torch.cat([rows[:, :, 1:], rows[:, :, -1:]], 2)], 1)
    found = quads.permute(0, 2, 3, 1).reshape(-1, 4).index_select(0, positions)
    dx, dy = (x - left).reshape(-1, 1), (y - top).reshape(-1, 1)
    weights = torch.cat([(1 - dx) * (1 - dy), dx * (1 - dy), (1 - dx) * dy, dx * dy], 1)
    return (found * weights).sum(1).reshape(batch, 1, size, size)


def landmark_picture(shape: Shape, size: int) -> Float[Tensor, "b 1 s s"]:
    """Draw `1 / (1 + distance to the nearest landmark)`, in pixels; 0 outside of every landmark's 16 px patch."""
    batch, device = len(shape.x), shape.x.device
    line = torch.arange(size, device=device)
    faces = torch.arange(batch, device=device)

    def squared(row: Row) -> Float[Tensor, "bs k"]:
        centre = (row * size - 0.5).clamp(_PATCH, size - 1 - _PATCH).index_select(0, faces.repeat_interleave(size))
        positions = line.repeat(batch)[:, None].to(centre)
        beyond = ((positions - centre.floor()).abs() > _PATCH).to(centre)
        return (positions - centre).square() + _BEYOND * beyond

    first = faces.repeat_interleave(size * size) * size
    columns = squared(shape.x).index_select(0, first + line.repeat(size).repeat(batch))
    rows = squared(shape.y).index_select(0, first + line.repeat_interleave(size).repeat(batch))
    nearest = (columns + rows).amin(1)
    drawn = (nearest < _BEYOND).to(nearest) / (1 + (nearest + 1e-6).sqrt())
    return drawn.reshape(batch, 1, size, size)


class Stage(nn.Module):
    """A square picture (b, c, size, size) -> its features (b, 256), and by how much to move every landmark (b, k)."""

    def __init__(self, in_channels: int, image_size: int, n_points: int):
        super().__init__()
        layers: list[nn.Module] = []
        for channels in _CHANNELS:
            for width in (in_channels, channels):
                conv = nn.Conv2d(width, channels, 3, padding=1)
                nn.init.kaiming_normal_(conv.weight, nonlinearity="relu")
                nn.init.zeros_(conv.bias)  # type: ignore[arg-type]
                layers += [conv, nn.BatchNorm2d(channels), nn.ReLU(inplace=True)]
            layers.append(nn.MaxPool2d(2))
            in_channels = channels
        dense = nn.Linear(_CHANNELS[-1] * (image_size // 16) ** 2, _DENSE)
        layers += [nn.Flatten(), nn.Dropout(0.5), dense, nn.BatchNorm1d(_DENSE), nn.ReLU(inplace=True)]
        self.features, self.points = nn.Sequential(*layers), nn.Linear(_DENSE, 2 * n_points)
        nn.init.normal_(self.points.weight, std=1e-3)
        nn.init.zeros_(self.points.bias)

    def forward(self, picture: Float[Tensor, "b c s s"]) -> tuple[Float[Tensor, "b f"], Shape]:
        features = self.features(picture)
        with torch.autocast(features.device.type, enabled=False):
            return features, Shape(*self.points(features.float()).chunk(2, 1))


class Connection(nn.Module):
    """Input of the next stage: straightened crop, drawn landmarks and a picture of its features, normed."""

    def __init__(self, image_size: int):
        super().__init__()
        self.size, self.picture = image_size, nn.Linear(_DENSE, (image_size // 2) ** 2)
        self.norm = nn.BatchNorm2d(3)

    def forward(
        self, grey: Float[Tensor, "b 1 s s"], features: Float[Tensor, "b f"], shape: Shape, mean: Shape
    ) -> tuple[Float[Tensor, "b 3 s s"], Shape, Similarity]:
        """Return the pictures, the straightened landmarks, and the similarity that takes them back to the crop."""
        # Positions need more than the 8 bits of a bfloat16 mantissa.
        with torch.autocast(grey.device.type, enabled=False):
            forth = fit_similarity(shape, mean)
            straight, back = forth(shape), forth.inverse()
            half = self.picture(features.float()).relu().reshape(-1, 1, self.size // 2, self.size // 2)
            drawn = nn.functional.interpolate(half, scale_factor=2, mode="nearest")
            pictures = torch.cat([warp(grey.float(), back), landmark_picture(straight, self.size), drawn], 1)
            return self.norm(pictures), straight, back


class Dan(nn.Module):
    """Deep Alignment Network: stages connected in series.

    Args:
        stages: how many.
        scheme: landmark scheme.
        image_size: side of the crops in pixels, a multiple of 16.
        frozen: so many stages are finished: they neither learn nor drop out, and their norms stay as they are.
    """

    # Coordinates of landmarks and of the pixels that are sampled: 8 bits have steps of half a pixel.
    float_modules: ClassVar = (r"connections\.\d+",)

    grey: Tensor
    mean: Tensor

    def __init__(self, stages: int, scheme: str, image_size: int, frozen: int):
        super().__init__()
        k = load_scheme(scheme).n_points
        self.scheme, self.image_size, self.frozen = scheme, image_size, frozen
        self.stages = nn.ModuleList(Stage(3 if index else 1, image_size, k) for index in range(stages))
        self.connections = nn.ModuleList(Connection(image_size) for _ in range(stages - 1))
        self.register_buffer("grey", torch.tensor(_GREY).reshape(1, 3, 1, 1) / _STD, persistent=False)
        self.register_buffer("mean", mean_shape(scheme))
        for module in self._finished():
            module.requires_grad_(False)

    def _finished(self) -> list[nn.Module]:
        return [*self.stages[: self.frozen], *self.connections[: max(0, self.frozen - 1)]]

    def train(self, mode: bool = True) -> "Dan":
        super().train(mode)
        for module in self._finished():
            module.eval()
        return self

    def forward(self, images: Float[Tensor, "b 3 h w"]) -> Prediction:
        """RGB crops in [0, 1] -> landmarks.

        Raises:
            ConfigError: crops of another size than the network's.
        """
        if images.shape[-2:] != (self.image_size, self.image_size):
            height, width = images.shape[-2:]
            raise ConfigError(
                f"crops of {width} x {height} px: the network is made for {self.image_size} px; set its image_size"
            )
        grey = nn.functional.conv2d(images, self.grey.to(images)) - _MEAN / _STD
        mean = Shape(*self.mean[:, None])
        features, moved = self.stages[0](grey)
        shape = _moved(mean, moved)
        for connection, stage in zip(self.connections, self.stages[1:], strict=True):
            pictures, straight, back = connection(grey, features, shape, mean)
            features, moved = stage(pictures)
            shape = back(_moved(straight, moved))
        return Prediction(torch.stack(shape, -1))


def _moved(shape: Shape, by: Shape) -> Shape:
    return Shape(shape.x + by.x, shape.y + by.y)


def mean_shape(scheme: str) -> Float[Tensor, "2 k"]:
    """Return x and y of the neutral generated head's landmarks, normalised to its crop.

    Raises:
        ConfigError: a scheme whose points the head does not have.
    """
    flip = [1, -1]  # y of the head runs up
    face = head_points("ibug68")[:, :2] * flip
    affine = crop_affine(Box(*face.min(0), *face.max(0)), _FRAME)
    points = normalise(apply_affine(affine, head_points(scheme)[:, :2] * flip), _FRAME.size, _FRAME.size)
    return torch.from_numpy(points.T.copy())


@register("dan_1", "dan_2", size=112, loss="nme")
def dan(name: str, scheme: str, *, image_size: int = 112, frozen: int = 0) -> Dan:
    """Build DAN; the number in its name is that of its stages.

    Args:
        name: `dan_1` or `dan_2`.
        scheme: landmark scheme.
        image_size: side of the square crop in pixels, a multiple of 16 from 32.
        frozen: the first so many stages do not learn: they come trained, through `model.init`.

    Raises:
        ConfigError: a size the strides do not divide, no stage left to train, or a scheme without a mean shape.
    """
    stages = _STAGES[name]
    if image_size % 16 or image_size < 32:
        raise ConfigError(
            f"image_size {image_size} of {name} is no multiple of 16 from 32: take {max(2, image_size // 16) * 16}"
        )
    if not 0 <= frozen < stages:
        raise ConfigError(f"frozen {frozen} of {name}: {stages} stages, of which the last must learn; take less")
    return Dan(stages, scheme, image_size, frozen)
