"""Loss over one head per landmark scheme, for training on several data sets (EFLD, arXiv 2407.10228, sec. 3.4)."""

from collections.abc import Mapping
from types import MappingProxyType

from jaxtyping import Float
from torch import Tensor, nn

from distill.data.dataset import Target
from distill.models import Prediction


class CrossFormatLoss(nn.Module):
    """The sum of every head's supervised loss; what is not annotated costs nothing.

    A head's loss is a mean over all faces of the batch, also those without annotation for it, so that a rare kind of
    landmarks is not louder in the few batches where it occurs.

    Args:
        losses: the supervised loss of each head, by its scheme, that of the main head first.
        derived: losses of annotations that follow from the main head's points, by their scheme.
    """

    def __init__(self, losses: Mapping[str, nn.Module], derived: Mapping[str, nn.Module] = MappingProxyType({})):
        super().__init__()
        self.main = next(iter(losses))
        self.heads, self.schemes = frozenset(losses), (*losses, *derived)
        self.parts = nn.ModuleList([*losses.values(), *derived.values()])

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
            prediction = predictions[scheme if scheme in self.heads else self.main]
            terms[scheme] = loss(prediction, target["landmarks"], counts)["loss"] * counts.mean()
        return {**terms, "loss": sum(terms.values())}
