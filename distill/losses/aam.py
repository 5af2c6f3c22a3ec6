"""STAR loss and adaptive wing on the three map outputs of an AAM head, the loss of heatmap networks."""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from distill.landmarks import Scheme
from distill.losses.map_losses import MapOptions
from distill.losses.reduction import inside_crop
from distill.losses.registry import register_loss
from distill.losses.star import StarLoss
from distill.losses.wing import AdaptiveWingLoss
from distill.models import Prediction
from distill.models.heatmaps import edge_maps, edge_weights, gaussian_maps

_MAPS = ("heatmaps", "point_maps", "edge_maps")


@dataclass(frozen=True)
class StarOptions(MapOptions):
    """Options of STAR with adaptive wing on point and edge maps; see `SupervisedLoss`."""

    star: float = 1.0
    star_eigen: float = 1.0
    point: float = 10.0
    edge: float = 10.0


@register_loss("maps", needs=_MAPS, options=StarOptions)
class SupervisedLoss(nn.Module):
    """`star * STAR + point * AWing(point maps) + edge * AWing(edge maps)`, targets drawn on the training device.

    A landmark outside the crop cannot be decoded from a map and does not count; its edges are still drawn as far as
    they are inside. An edge counts where all of its points are annotated.

    Args:
        scheme: gives the edges.
        star, point, edge: weights of the three terms (the paper's code: 1, 10, 10).
        star_eigen: weight of STAR's eigenvalue restriction.
        sigma: standard deviation of the target maps in cells.
    """

    on_edge: Tensor

    def __init__(
        self,
        scheme: Scheme,
        star: float = 1.0,
        star_eigen: float = 1.0,
        point: float = 10.0,
        edge: float = 10.0,
        sigma: float = 1.0,
    ):
        super().__init__()
        self.weights = {"star": star, "point": point, "edge": edge}
        self.sigma = sigma
        self.star, self.wing = StarLoss(star_eigen), AdaptiveWingLoss()
        self.register_buffer("on_edge", torch.from_numpy(scheme.edge_matrix.T) > 0, persistent=False)
        for index, weights in enumerate(edge_weights(scheme)):
            self.register_buffer(f"curve_{index}", weights, persistent=False)

    def forward(
        self, prediction: Prediction, landmarks: Float[Tensor, "b k 2"], valid: Bool[Tensor, "b k"] | Tensor
    ) -> dict[str, Tensor]:
        """Return the weighted terms by name (`star`, `point`, `edge`) and their sum (`loss`).

        Args:
            prediction: with heatmaps, point maps and edge maps.
            landmarks: annotated, normalised to the crop.
            valid: which of them are annotated, or how much each counts.
        """
        heatmaps, point_maps, edges = (prediction.part(name) for name in _MAPS)
        height, width = heatmaps.shape[-2:]
        point_targets = gaussian_maps(landmarks, height, width, self.sigma)
        curves = [self.get_buffer(f"curve_{index}") for index in range(len(self.on_edge))]
        edge_targets = edge_maps(landmarks, curves, height, width, self.sigma)
        decodable = inside_crop(landmarks) * valid
        # The least weight of an edge's points; as one masked minimum, without a list of indices for the device.
        whole = torch.where(self.on_edge, valid[:, None] * 1.0, torch.inf).amin(-1)
        terms = {
            "star": self.star(heatmaps, landmarks, decodable),
            "point": self.wing(point_maps, point_targets, decodable),
            "edge": self.wing(edges, edge_targets, whole),
        }
        weighted = {name: self.weights[name] * term for name, term in terms.items()}
        return {**weighted, "loss": sum(weighted.values())}
