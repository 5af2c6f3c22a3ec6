"""Decoding of a detector as a part of its exported graph, for inputs of one fixed square size.

Scores, boxes and points come out in pixels of the input, so a program that runs the file needs no prior boxes; only
suppression is left to it. Priors are constants of the graph, which is why the size is fixed.
"""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from distill.detection.retinaface.decode_maps import PARTS
from distill.detection.retinaface.priors import (
    CENTRE_VARIANCE,
    LARGEST_LOG_RATIO,
    SIZE_VARIANCE,
    AnchorConfig,
    prior_boxes,
)

# In the order of the ONNX file.
OUTPUTS = ("boxes", "scores", "points")


class DecodedDetector(nn.Module):
    """A detector with its decoding: (1, side, side, 3) RGB in [0, 1] -> boxes (n, 4), scores (n,), points (n, 5, 2).

    The order of the n priors is that of `prior_boxes`; every one is given, whatever its score.

    Args:
        raw: detector whose outputs are the maps of score, box and points of each level, as (1, rows, columns, values).
        anchors: its prior boxes.
        side: of the input in pixels.
    """

    centres: Tensor
    sizes: Tensor

    def __init__(self, raw: nn.Module, anchors: AnchorConfig, side: int) -> None:
        super().__init__()
        priors = torch.from_numpy(prior_boxes(anchors, side, side).copy())
        self.raw = raw
        # Half a pixel is added and taken off at the end: fp16 files store constants in half precision, which holds
        # odd multiples of half a stride up to some thousand pixels, and of half a pixel up to 1024 only.
        self.register_buffer("centres", priors[:, :2] + 0.5)
        self.register_buffer("sizes", priors[:, 2:])

    def forward(
        self, image: Float[Tensor, "1 h w 3"]
    ) -> tuple[Float[Tensor, "n 4"], Float[Tensor, " n"], Float[Tensor, "n 5 2"]]:
        maps = self.raw(image)
        parts = [
            torch.cat([level.reshape(-1, values) for level in maps[index :: len(PARTS)]])
            for index, values in enumerate(PARTS)
        ]
        logits, offsets, moves = parts
        centres = self.centres + offsets[:, :2] * CENTRE_VARIANCE * self.sizes - 0.5
        half = (offsets[:, 2:] * SIZE_VARIANCE).clamp(max=LARGEST_LOG_RATIO).exp() * self.sizes / 2
        points = self.centres[:, None] + moves.reshape(-1, 5, 2) * CENTRE_VARIANCE * self.sizes[:, None] - 0.5
        return torch.cat([centres - half, centres + half], dim=1), logits[:, 0].sigmoid(), points
