"""PIPNet's loss (arXiv 2003.03771, eq. 1): squared error of the score maps, L1 of the offsets in the true cell.

The score map of a landmark is 1 in the cell that holds it and 0 elsewhere. Only the offsets of that cell are trained.
The weights, 10 for the scores and 1 for both kinds of offsets, are those of the authors' code.
"""

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from distill.landmarks import Scheme
from distill.losses.reduction import inside_crop, masked_mean
from distill.losses.registry import register_loss
from distill.models import Prediction
from distill.models.pipnet import nearest_landmarks

_SCORE = 10.0


@register_loss("pip", needs=("scores", "offsets", "neighbour_offsets"))
class PipLoss(nn.Module):
    """Score maps, offsets and offsets of neighbours; a landmark outside the crop has no cell and does not count.

    Args:
        scheme: of the landmarks.

    Raises:
        ConfigError: a scheme whose points the generated head does not have.
    """

    neighbours: Tensor

    def __init__(self, scheme: Scheme):
        super().__init__()
        self.register_buffer("neighbours", torch.tensor(nearest_landmarks(scheme.name)).T, persistent=False)

    def forward(
        self, prediction: Prediction, landmarks: Float[Tensor, "b k 2"], valid: Bool[Tensor, "b k"] | Tensor
    ) -> dict[str, Tensor]:
        """Return the weighted terms by name (`score`, `offset`, `neighbour`) and their sum (`loss`)."""
        scores = prediction.part("scores").float()
        own, near = (prediction.part(name).float() for name in ("offsets", "neighbour_offsets"))
        height, width = scores.shape[-2:]
        with torch.autocast(scores.device.type, enabled=False):
            # What stands for unknown landmarks may be anything; they get a cell all the same and do not count.
            x, y = landmarks.float().nan_to_num().unbind(-1)
            cells = torch.stack([x * width, y * height], -1)
            column = cells[..., 0].floor().clamp(0, width - 1)
            row = cells[..., 1].floor().clamp(0, height - 1)
            index = (row * width + column).long()
            corner = torch.stack([column, row], 1)
            targets = torch.zeros_like(scores).flatten(2).scatter_(2, index[..., None], 1.0).view_as(scores)
            score = (scores - targets).square().mean((-2, -1))
            truth = cells.transpose(1, 2)
            offset = (_at(own, index) - (truth - corner)).abs().sum(1)
            near_truth = truth[:, :, self.neighbours] - corner[:, :, None]
            neighbour = (_at(near, index) - near_truth).abs().sum(1)
            counts = inside_crop(landmarks) * valid
            both = counts[:, None] * (valid * 1.0)[:, self.neighbours]
            terms = {
                "score": _SCORE * masked_mean(score, counts),
                "offset": masked_mean(offset, counts),
                "neighbour": masked_mean(neighbour, both),
            }
        return {**terms, "loss": sum(terms.values())}  # type: ignore[dict-item]  # not empty


def _at(maps: Float[Tensor, "b *n k h w"], index: Tensor) -> Float[Tensor, "b *n k"]:
    """Return the value of each landmark's map in its cell (b, k), numbered row by row."""
    flat = maps.flatten(-2)
    where = index.view(index.shape[0], *[1] * (flat.ndim - 3), index.shape[1], 1).expand(*flat.shape[:-1], 1)
    return flat.gather(-1, where)[..., 0]
