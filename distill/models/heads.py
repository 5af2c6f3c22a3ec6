"""`Prediction` of every network, and the anisotropic attention head (AAM): three sets of maps, fused and decoded.

AAM is ADNet's (Huang et al., ICCV 2021, arXiv 2109.05721): a landmark's heatmap counts where its point map and the
edges it lies on agree. Teacher and student share this code.
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn

from distill.errors import ConfigError
from distill.landmarks import Scheme
from distill.models.annotation_shift import AnnotationShift
from distill.models.confidence import point_confidence
from distill.models.heatmaps import centre_of_mass


class Prediction(NamedTuple):
    """Output of a network for a batch of crops; parts that a network does not predict are None.

    Attributes:
        landmarks: (b, k, 2), normalised to the crop: in [0, 1] where they come from maps, unbounded from regression.
        heatmaps: (b, k, h, w) fused, non-negative; what is decoded and distilled.
        point_maps: (b, k, h, w) in [0, 1].
        edge_maps: (b, e, h, w) in [0, 1].
        sigmas: (b, k, 2) > 0, standard deviation in x and y that a regression network predicts, normalised to the crop.
        pose: (b, 3) yaw, pitch and roll in radians, of a network that is trained with a pose net.
        scores: (b, k, h, w), of each cell to hold the landmark, of PIPNet.
        offsets: (b, 2, k, h, w), x and y from the corner of the cell to the landmark, in cells, of PIPNet.
        neighbour_offsets: (b, 2, n, k, h, w), the same for its n nearest landmarks.
        confidence: (b, k) in [0, 1], of a heatmap network in evaluation mode; follows from the heatmaps and so is none
            of the `parts`.
    """

    landmarks: Float[Tensor, "b k 2"]
    heatmaps: Float[Tensor, "b k h w"] | None = None
    point_maps: Float[Tensor, "b k h w"] | None = None
    edge_maps: Float[Tensor, "b e h w"] | None = None
    sigmas: Float[Tensor, "b k 2"] | None = None
    pose: Float[Tensor, "b 3"] | None = None
    scores: Float[Tensor, "b k h w"] | None = None
    offsets: Float[Tensor, "b 2 k h w"] | None = None
    neighbour_offsets: Float[Tensor, "b 2 n k h w"] | None = None
    confidence: Float[Tensor, "b k"] | None = None

    @property
    def parts(self) -> tuple[str, ...]:
        """Names of what is predicted."""
        names = (name for name in self._fields if name != "confidence")
        return tuple(name for name in names if getattr(self, name) is not None)

    def has(self, names: Sequence[str]) -> bool:
        """Whether all of these are predicted."""
        return set(names) <= set(self.parts)

    def part(self, name: str) -> Tensor:
        """Return what is predicted under a name.

        Raises:
            ConfigError: the network does not predict it.
        """
        if not self.has([name]):
            raise ConfigError(f"the network predicts {', '.join(self.parts)}, no {name}; choose a loss for those")
        return getattr(self, name)


class AAMHead(nn.Module):
    """Three parallel 1x1 convolutions on a feature map, fused as `heatmap * E2H(edges) * points` and decoded.

    Args:
        channels: channels of the feature map.
        scheme: gives the number of points and which edge each lies on. A point on no edge is masked by its point map
            alone, a point on one edge by that edge, a point on several by their sum.
    """

    edges_of_point: Tensor
    edgeless: Tensor

    def __init__(self, channels: int, scheme: Scheme):
        super().__init__()
        self.heatmap = nn.Conv2d(channels, scheme.n_points, 1)
        self.normalise: nn.Module = nn.InstanceNorm2d(scheme.n_points)
        self.point = nn.Conv2d(channels, scheme.n_points, 1)
        self.edge = nn.Conv2d(channels, len(scheme.edges), 1)
        edges_of_point = torch.from_numpy(scheme.edge_matrix)[..., None, None]
        # Constants of the scheme, not weights: rebuilt with the head instead of stored in checkpoints.
        self.register_buffer("edges_of_point", edges_of_point, persistent=False)
        self.register_buffer("edgeless", (edges_of_point.sum((1, 2, 3)) == 0).float(), persistent=False)
        self.shift = AnnotationShift()
        for conv in (self.point, self.edge):
            # Maps start near 0, as their targets are almost everywhere.
            if conv.bias is not None:
                nn.init.constant_(conv.bias, -2.0)

    def forward(self, features: Float[Tensor, "b c h w"]) -> Prediction:
        heat = self.normalise(self.heatmap(features)).relu()
        points = self.point(features).sigmoid()
        edges = self.edge(features).sigmoid()
        mask = nn.functional.conv2d(edges, self.edges_of_point, self.edgeless) * points
        # Sums and quotients of the decoder need more than the 8 bits of a bfloat16 mantissa.
        fused = mask.float() * heat.float()
        centre = centre_of_mass(fused)
        confidence = None if self.training else point_confidence(fused, centre)
        return Prediction(self.shift(centre.flatten(2)), fused, points, edges, confidence=confidence)
