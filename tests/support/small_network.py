"""The network of tests that look at the training loop: a step takes a tenth of that of the smallest backbone."""

from collections.abc import Sequence

from torch import nn

from distill.landmarks import load_scheme
from distill.models.regression import DenseHead, RegressionNet
from distill.models.zoo import ZooEntry

NAME = "small_cnn"


def small_cnn(name: str, scheme: str, *, image_size: int = 64, others: Sequence[str] = ()) -> nn.Module:
    """Build it with what a resumed training has to restore beside weights: running statistics and random numbers."""
    body = nn.Sequential(
        nn.Conv2d(3, 8, 5, 4), nn.BatchNorm2d(8), nn.GELU(), nn.AdaptiveAvgPool2d(4), nn.Flatten(), nn.Dropout(0.1)
    )
    schemes = [scheme, *others]
    heads = [DenseHead(128, load_scheme(each).n_points, layers=0) for each in schemes]
    return RegressionNet(body, heads, schemes, image_size)


ENTRY = ZooEntry(small_cnn, 64, "l1")
