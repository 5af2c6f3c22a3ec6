"""The exported form of ShuffleNetV2 gives the same numbers."""

import torch

from distill.models.shufflenet_v2 import ShuffleUnit
from distill.models.shufflenet_v2_export import ConvolvedShuffle


def test_a_convolution_shuffles_as_the_list_of_channels_does() -> None:
    torch.manual_seed(0)
    for stride, width in ((1, 12), (2, 6)):
        unit = ShuffleUnit(width, 12, stride).eval()
        x = torch.rand(2, width, 8, 8)
        with torch.no_grad():
            assert torch.equal(ConvolvedShuffle(unit)(x), unit(x))
