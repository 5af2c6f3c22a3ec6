"""Building blocks of RetinaFace: separable convolutions, feature pyramid (FPN) and SSH context module."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional


def conv_bn(inputs: int, outputs: int, kernel: int = 1) -> nn.Sequential:
    """Return a convolution without bias, batch norm and ReLU."""
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2, bias=False),
        nn.BatchNorm2d(outputs),
        nn.ReLU(inplace=True),
    )


def separable(inputs: int, outputs: int) -> nn.Sequential:
    """Return a depthwise 3x3 convolution and a pointwise one, each with batch norm and ReLU."""
    depthwise = nn.Sequential(
        nn.Conv2d(inputs, inputs, 3, padding=1, groups=inputs, bias=False),
        nn.BatchNorm2d(inputs),
        nn.ReLU(inplace=True),
    )
    return nn.Sequential(depthwise, conv_bn(inputs, outputs))


def doubled(x: Tensor) -> Tensor:
    """Return maps (b, c, h, w) upsampled by 2, nearest."""
    return functional.interpolate(x, scale_factor=2.0, mode="nearest")


class FeaturePyramid(nn.Module):
    """Top-down pyramid (FPN) over feature maps whose strides double from one to the next.

    Args:
        channels: channels of the input maps, finest first.
        width: channels of every output map.
    """

    def __init__(self, channels: Sequence[int], width: int):
        super().__init__()
        self.lateral = nn.ModuleList(conv_bn(inputs, width) for inputs in channels)
        self.merge = nn.ModuleList(separable(width, width) for _ in channels[:-1])

    def forward(self, maps: Sequence[Tensor], double: Callable[[Tensor], Tensor] = doubled) -> list[Tensor]:
        """Return as many maps (b, width, h, w) as were given, finest first.

        Args:
            maps: finest first.
            double: upsampling by 2; export has another form of it.
        """
        laterals = [lateral(given) for lateral, given in zip(self.lateral, maps, strict=True)]
        outputs = [laterals[-1]]
        for finer, merge in zip(reversed(laterals[:-1]), reversed(self.merge), strict=True):
            outputs.insert(0, merge(finer + double(outputs[0])))
        return outputs


class ContextModule(nn.Module):
    """SSH context module: parallel receptive fields of 3x3, 5x5 and 7x7, concatenated.

    Half of the channels have a field of 3x3, a quarter each 5x5 and 7x7, as two and three stacked 3x3 convolutions.

    Args:
        width: channels of input and output; a multiple of 4.
    """

    def __init__(self, width: int):
        super().__init__()
        quarter = width // 4
        self.field_3 = separable(width, width - 2 * quarter)
        self.shared = separable(width, quarter)
        self.field_5 = separable(quarter, quarter)
        self.field_7 = nn.Sequential(separable(quarter, quarter), separable(quarter, quarter))

    def forward(self, x: Tensor) -> Tensor:
        shared = self.shared(x)
        # ReLU before the concatenation: TFLite fuses it into the convolutions, and 8 bits cover positive values alone.
        return torch.cat([self.field_3(x), self.field_5(shared), self.field_7(shared)], dim=1)
