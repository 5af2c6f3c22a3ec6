"""Heatmap head with one map per landmark, as in HRNet and Lite-HRNet."""

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Literal

from jaxtyping import Float
from torch import Tensor, nn

from distill.errors import ConfigError, suggest
from distill.models.annotation_shift import AnnotationShift
from distill.models.confidence import point_confidence
from distill.models.heads import Prediction
from distill.models.heatmaps import centre_of_mass, peaks, quarter_peak

Decoder = Literal["soft", "quarter"]

# A sigmoid of 0.02: maps start near 0, as their targets are almost everywhere.
_DARK = -4.0

# Maps (b, k, h, w) -> points (b, k, 1, 2).
DECODERS: Mapping[str, Callable[[Tensor], Tensor]] = MappingProxyType(
    {"soft": lambda maps: centre_of_mass(peaks(maps)), "quarter": quarter_peak}
)


class MapHead(nn.Module):
    """Sigmoid maps, decoded.

    The papers leave maps linear for the squared error; a sigmoid keeps them non-negative, which distillation and
    decoding rely on, and serves both the squared error and the cross entropy.

    Args:
        logits: features -> (b, k, h, w), any real number.
        decode: `soft`, the centre of mass of what stands above a fifth of the peak: differentiable, finer than a
            quarter of a cell, and a few sums in an exported file; or `quarter`, the highest cell and its neighbours
            (HRNet's), which has no gradient: only a loss on the maps can train it.

    Raises:
        ConfigError: an unknown decoder.
    """

    def __init__(self, logits: nn.Module, decode: str = "soft"):
        super().__init__()
        if decode not in DECODERS:
            raise ConfigError(f"unknown decode '{decode}': {suggest(decode, list(DECODERS))}")
        self.logits, self.decode, self.shift = logits, decode, AnnotationShift()

    def maps(self, features: Tensor | Sequence[Tensor]) -> Float[Tensor, "b k h w"]:
        """Return the maps, in float32: sums and quotients of the decoder need more than the 8 bits of bfloat16."""
        maps: Tensor = self.logits(features).float().sigmoid()
        return maps

    def forward(self, features: Tensor | Sequence[Tensor]) -> Prediction:
        maps = self.maps(features)
        points = DECODERS[self.decode](maps)
        confidence = None if self.training else point_confidence(maps, points)
        return Prediction(self.shift(points.flatten(2)), maps, confidence=confidence)


class MultiResolution(nn.Module):
    """Lite-HRNet Plus' output module (sec. 3.2): a 1x1 convolution per resolution, brought to the highest and summed.

    Args:
        channels: of the maps, from the highest resolution to the lowest; each has half the side of the one before.
        n_points: landmarks k. One bias per landmark is enough for a sum.
    """

    def __init__(self, channels: Sequence[int], n_points: int):
        super().__init__()
        self.convs = nn.ModuleList(nn.Conv2d(c, n_points, 1, bias=i == 0) for i, c in enumerate(channels))
        for conv in self.convs:
            start_dark(conv)

    def forward(self, maps: Sequence[Float[Tensor, "b c h w"]]) -> Float[Tensor, "b k h w"]:
        out: Tensor = self.convs[0](maps[0])
        for level, (conv, x) in enumerate(zip(self.convs[1:], maps[1:], strict=True), 1):
            out = out + nn.functional.interpolate(conv(x), scale_factor=2.0**level, mode="bilinear")
        return out


def start_dark(conv: nn.Module) -> None:
    """Let the maps of a last convolution start near 0 everywhere."""
    assert isinstance(conv, nn.Conv2d)
    nn.init.normal_(conv.weight, std=1e-3)
    if conv.bias is not None:
        nn.init.constant_(conv.bias, _DARK)
