"""Confidence of landmarks from their heatmaps: the share of a map's mass that lies near the decoded point.

A map with one narrow peak gives a confidence near 1, a wide map or one with several peaks a low one. It needs no
training and no further weights, and the scale of a map does not matter.
"""

import torch
from jaxtyping import Float
from torch import Tensor

from distill.models.heatmaps import MASS_FLOOR, cell_centres

# Half width of the window around a point, in sides of the crop. Of Gaussian windows with deviations of 0.03, 0.06 and
# 0.1 the second left the widest gap between 300-W training faces and crops without a face; this one equals it near the
# point and needs no exponential, of which TFLite runtimes before 2.13 have no integer form.
WINDOW = 0.12


def point_confidence(heatmaps: Float[Tensor, "b k h w"], points: Float[Tensor, "b k 1 2"]) -> Float[Tensor, "b k"]:
    """Return the share of each map's mass under a window around its point, in [0, 1]; 0 of an empty map.

    The window is (1 - (d / `WINDOW`)^2)^2 of the distance d along each axis, and 0 from `WINDOW` on.

    Four axes up to the end, as in `centre_of_mass`, so that converters keep the maps channel-last.

    Args:
        heatmaps: non-negative.
        points: decoded from them, normalised to the crop.
    """
    _, _, h, w = (int(size) for size in heatmaps.shape)
    with torch.autocast(heatmaps.device.type, enabled=False):
        columns = _window(cell_centres(w, heatmaps).view(1, 1, 1, w) - points[..., :1])
        rows = _window(cell_centres(h, heatmaps).view(1, 1, h, 1) - points[..., 1:])
        inside = ((heatmaps * rows).sum(2, keepdim=True) * columns).sum(3, keepdim=True)
        mass = heatmaps.sum(2, keepdim=True).sum(3, keepdim=True).clamp_min(MASS_FLOOR)
        return (inside / mass).flatten(1)


def _window(offsets: Tensor) -> Tensor:
    scaled = offsets * (1 / WINDOW)
    share = (1 - scaled * scaled).relu()
    return share * share
