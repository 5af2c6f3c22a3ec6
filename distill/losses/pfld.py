"""PFLD's loss (arXiv 1902.10859, eq. 2): squared distances, heavier for faces whose pose the auxiliary net has wrong.

`L = mean over faces of w * sum_angles (1 - cos(angle - predicted angle)) * sum_points |d|^2`

The weight `w` of rare attributes comes with the batch, as every weight of a face does: see
`distill.data.class_balance`.
The paper reads pose labels off 14 points by PnP; here all points that do not slide over a turning head are fitted to
the generated head (`distill.data.pose.head_pose`), whatever their scheme and however the crop was turned.
"""

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from distill.data.pose import head_pose
from distill.landmarks import Scheme
from distill.losses.reduction import masked_mean
from distill.losses.registry import register_loss
from distill.models import Prediction


@register_loss("pfld", needs=("landmarks",))
class PfldLoss(nn.Module):
    """Sum of the squared distances of a face's points in sides of the crop, times the error of its predicted pose.

    Without a predicted pose (in validation, or where there is no pose net) every face weighs the same, which is what
    the mobile thesis trained with.

    Args:
        scheme: of the landmarks.
    """

    def __init__(self, scheme: Scheme):
        super().__init__()
        self.scheme = scheme.name

    def forward(
        self, prediction: Prediction, landmarks: Float[Tensor, "b k 2"], valid: Float[Tensor, "b k"] | Tensor
    ) -> dict[str, Tensor]:
        """Return the loss over the landmarks by their weights `valid`, as `pfld` and `loss`, and the `pose` error.

        The latter, the mean of `1 - cos` over faces and angles, is only there to be watched.
        """
        with torch.autocast(landmarks.device.type, enabled=False):
            squared = (prediction.landmarks.float() - landmarks.float()).square().sum(-1)
            terms = {}
            if prediction.pose is not None:
                wrong = self._pose_error(prediction.pose.float(), landmarks, valid > 0)
                squared = squared * wrong[:, None]
                terms["pose"] = wrong.detach().mean() / 3
            loss = masked_mean(squared, valid) * landmarks.shape[1]
        return {**terms, "pfld": loss, "loss": loss}

    def _pose_error(
        self, pose: Float[Tensor, "b 3"], landmarks: Float[Tensor, "b k 2"], known: Bool[Tensor, "b k"]
    ) -> Float[Tensor, " b"]:
        """Return the sum of `1 - cos` over the angles; a face with unknown points has the mean of the others."""
        labelled = known.all(1)
        # What stands for unknown points may be anything; such a face counts as one point, whose pose is finite.
        whole = torch.where(labelled[:, None, None], landmarks.detach().float(), 0)
        wrong = (1 - torch.cos(pose - head_pose(whole, self.scheme).deg2rad())).sum(1)
        others = (wrong.detach() * labelled).sum() / labelled.sum().clamp_min(1)
        return torch.where(labelled, wrong, torch.where(labelled.any(), others, 1))
