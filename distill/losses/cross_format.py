"""Loss over one head per landmark scheme, for training on several data sets (EFLD, arXiv 2407.10228, sec. 3.4)."""

from collections.abc import Mapping

from jaxtyping import Float
from torch import Tensor, nn

from distill.data.dataset import Target
from distill.models import Prediction


class CrossFormatLoss(nn.Module):
    """The sum of every head's supervised loss; what is not annotated costs nothing.

    A head's loss is a mean over all faces of the batch, also those without annotation for it, so that a rare kind of
    landmarks is not louder in the few batches where it occurs.

    Args:
        losses: the supervised loss of each scheme.
    """

    def __init__(self, losses: Mapping[str, nn.Module]):
        super().__init__()
        self.schemes, self.parts = tuple(losses), nn.ModuleList(losses.values())

    def forward(
        self,
        predictions: Mapping[str, Prediction],
        targets: Mapping[str, Target],
        weight: Float[Tensor, " b"],
    ) -> dict[str, Tensor]:
        """Return each head's loss by the name of its scheme, and their sum as `loss`; `weight` is that of each face."""
        terms = {}
        for scheme, loss in zip(self.schemes, self.parts, strict=True):
            target = targets[scheme]
            counts = target["known"] * weight[:, None]
            terms[scheme] = loss(predictions[scheme], target["landmarks"], counts)["loss"] * counts.mean()
        return {**terms, "loss": sum(terms.values())}
