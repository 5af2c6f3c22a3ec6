"""What teacher and student both learn from annotated faces: STAR + adaptive wing on point and edge maps."""

from jaxtyping import Bool, Float
from torch import Tensor, nn

from distill.heatmaps import edge_maps, edge_weights, gaussian_maps
from distill.landmarks import Scheme
from distill.losses.star import StarLoss
from distill.losses.wing import AdaptiveWingLoss
from distill.models import Prediction


class SupervisedLoss(nn.Module):
    """`star * STAR + point * AWing(point maps) + edge * AWing(edge maps)`, targets drawn on the training device.

    A landmark outside the crop cannot be decoded from a map and does not count; its edges are still drawn as far as
    they are inside.

    Args:
        scheme: gives the edges.
        star, point, edge: weights of the three terms (the paper's code: 1, 10, 10).
        star_eigen: weight of STAR's eigenvalue restriction.
        sigma: standard deviation of the target maps in cells.
    """

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
        self.curves = edge_weights(scheme)

    def forward(
        self, prediction: Prediction, landmarks: Float[Tensor, "b k 2"], valid: Bool[Tensor, "b k"]
    ) -> dict[str, Tensor]:
        """Return the weighted terms by name (`star`, `point`, `edge`) and their sum (`loss`)."""
        height, width = prediction.heatmaps.shape[-2:]
        point_targets = gaussian_maps(landmarks, height, width, self.sigma)
        edge_targets = edge_maps(landmarks, self.curves, height, width, self.sigma)
        every_edge = valid.new_ones(edge_targets.shape[:2])
        terms = {
            "star": self.star(prediction.heatmaps, landmarks, valid),
            "point": self.wing(prediction.point_maps, point_targets, valid),
            "edge": self.wing(prediction.edge_maps, edge_targets, every_edge),
        }
        weighted = {name: self.weights[name] * term for name, term in terms.items()}
        return {**weighted, "loss": sum(weighted.values())}


def inside_crop(landmarks: Float[Tensor, "b k 2"]) -> Bool[Tensor, "b k"]:
    """Which normalised landmarks lie within the crop."""
    return ((landmarks >= 0) & (landmarks <= 1)).all(-1)
