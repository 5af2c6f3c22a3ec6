"""Loss of annotations with fewer points than a network predicts: through the linear map between the two schemes."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from distill.landmarks import load_scheme, map_weights
from distill.losses.points import POINT_LOSSES, PointLoss, l1
from distill.losses.reduction import masked_mean
from distill.models import Prediction

# Of the L1 distance, for networks whose loss is not on points: near the gradient of STAR of weight 3 on sharp maps.
_WEIGHT = 100.0


class DerivedPointLoss(nn.Module):
    """Loss between annotated points and the same points computed from a prediction of more.

    Five annotated points train a network of 68: the mean of its predicted eye contour is compared with the annotated
    centre of the eye, and so on. Networks that regress points keep their own loss; for all others it is 100 times the
    L1 distance in sides of the crop.

    Args:
        source: scheme of the predicted points.
        target: scheme of the annotation, an exact map of `source`.
        name: supervised loss of the network.
    """

    weights: Tensor

    def __init__(self, source: str, target: str, name: str):
        super().__init__()
        self.register_buffer("weights", torch.from_numpy(map_weights(source, target)), persistent=False)
        self.loss = PointLoss(name, load_scheme(target)) if name in POINT_LOSSES else None

    def forward(self, predicted: Prediction, target: Float[Tensor, "b k 2"], valid: Tensor) -> dict[str, Tensor]:
        """Return the loss as `loss`; `valid` (b, k) holds the weight of each annotated point."""
        with torch.autocast(target.device.type, enabled=False):
            points = torch.einsum("kas,bsa->bka", self.weights, predicted.landmarks.float())
            if self.loss is not None:
                return {"loss": self.loss(Prediction(points), target, valid)["loss"]}
            return {"loss": _WEIGHT * masked_mean(l1(points, target.float()), valid)}
