"""Networks that regress coordinates: dense heads, one per landmark scheme over a shared body."""

from collections.abc import Sequence
from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor, nn

from distill.errors import ConfigError
from distill.landmarks import load_scheme
from distill.models.annotation_shift import AnnotationShift
from distill.models.heads import Prediction

# Spread a point starts with, and the factor by which a network may shrink or widen it, in sides of the crop.
_SIGMA, _MAX_LOG = 0.03, 3.0


class DenseHead(nn.Module):
    """EFLD's detection head (arXiv 2407.10228, sec. 3.3): linear layers, each concatenated to its input, then one more.

    Args:
        channels: length of the feature vector.
        n_points: landmarks k.
        layers: concatenated layers; with none, the head is a single linear layer, as PFLD's.
        width: units of each.
        uncertainty: also predict the standard deviation of each point; used in training only and not exported.
    """

    def __init__(self, channels: int, n_points: int, layers: int = 3, width: int = 32, uncertainty: bool = False):
        super().__init__()
        self.layers = nn.ModuleList(nn.Linear(channels + i * width, width) for i in range(layers))
        self.points = nn.Linear(channels + layers * width, 2 * n_points)
        self.sigmas = nn.Linear(channels + layers * width, 2 * n_points) if uncertainty else None
        self.shift = AnnotationShift()
        # The first guess is the middle of the crop.
        nn.init.constant_(self.points.bias, 0.5)
        for linear in (self.points, self.sigmas):
            if linear is not None:
                nn.init.normal_(linear.weight, std=1e-3)

    def forward(self, features: Float[Tensor, "b c"]) -> Prediction:
        for layer in self.layers:
            features = torch.cat([features, layer(features).relu()], 1)
        # Half precision is half a pixel at best, so the sums of the last layer keep all their bits.
        with torch.autocast(features.device.type, enabled=False):
            features = features.float()
            landmarks = self.shift(self.points(features).reshape(features.shape[0], -1, 2))
            if self.sigmas is None:
                return Prediction(landmarks)
            spread = self.sigmas(features).clamp(-_MAX_LOG, _MAX_LOG).exp() * _SIGMA
            return Prediction(landmarks, sigmas=spread.reshape_as(landmarks))


class RegressionNet(nn.Module):
    """Body that maps crops to feature vectors, with one head per landmark scheme.

    Calling it gives the first scheme's landmarks, and only that head is exported; `every_head` gives all of them.

    Args:
        body: images (b, 3, h, w) in [0, 1] -> features (b, c).
        heads: one per scheme, features -> `Prediction`.
        schemes: their names, the main one first.
        image_size: side of the crops it is made for, in pixels.

    Raises:
        ConfigError: a scheme named twice.
    """

    # Modules that stay in floats in integer files, as regular expressions: of every integer mode, of `int8_hybrid`.
    float_modules: ClassVar = ("head",)
    hybrid_modules: ClassVar = (r"head\..*",)

    def __init__(self, body: nn.Module, heads: Sequence[nn.Module], schemes: Sequence[str], image_size: int):
        super().__init__()
        if len(set(schemes)) < len(schemes):
            raise ConfigError(f"heads for {', '.join(schemes)}: name every landmark scheme once")
        self.body, self.head = body, nn.ModuleList(heads)
        self.schemes, self.image_size = tuple(schemes), image_size

    def _features(self, images: Tensor) -> Tensor:
        if images.shape[-2:] != (self.image_size, self.image_size):
            height, width = images.shape[-2:]
            raise ConfigError(
                f"crops of {width} x {height} px: the network is made for {self.image_size} px; set its image_size"
            )
        return self.body(images)

    def forward(self, images: Float[Tensor, "b 3 h w"]) -> Prediction:
        """RGB crops in [0, 1] -> landmarks of the main scheme.

        Raises:
            ConfigError: crops of another size than the network's.
        """
        return self.head[0](self._features(images))

    def every_head(self, images: Float[Tensor, "b 3 h w"]) -> dict[str, Prediction]:
        """Return the prediction of each head by the name of its scheme; the body runs once."""
        features = self._features(images)
        return {scheme: head(features) for scheme, head in zip(self.schemes, self.head, strict=True)}


def dense_heads(channels: int, schemes: Sequence[str], layers: int, width: int, uncertainty: bool) -> list[DenseHead]:
    """Return one `DenseHead` per scheme; only the first, which can be distilled, may predict its uncertainty."""
    return [
        DenseHead(channels, load_scheme(scheme).n_points, layers, width, uncertainty and index == 0)
        for index, scheme in enumerate(schemes)
    ]


def every_head(net: nn.Module, scheme: str, images: Float[Tensor, "b 3 h w"]) -> dict[str, Prediction]:
    """Return the prediction of each head by its scheme; most networks have one head, of `scheme`."""
    return net.every_head(images) if isinstance(net, RegressionNet) else {scheme: net(images)}


def schemes_of(net: nn.Module, scheme: str) -> tuple[str, ...]:
    """Return the schemes of a network's heads, the main one, `scheme`, first."""
    return net.schemes if isinstance(net, RegressionNet) else (scheme,)
