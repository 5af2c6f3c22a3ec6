"""Networks with random weights that are fit to be timed."""

from typing import Any

import torch
from torch import nn

from distill.models import create_model

_BATCHES = 30


def untrained(arch: str, scheme: str, options: dict[str, Any], size: int = 128) -> nn.Module:
    """Return a network in evaluation mode whose batch norms have seen what its random weights make of noise.

    Without such statistics the maps of a deep network overflow, and what is timed is arithmetic with infinities.

    Args:
        arch, scheme, options: see `create_model`.
        size: side of the noise in pixels; the networks without a size of their own take any multiple of 32.
    """
    net = create_model(arch, scheme, **options).train()
    if any(isinstance(module, nn.modules.batchnorm._BatchNorm) for module in net.modules()):
        with torch.no_grad():
            for _ in range(_BATCHES):
                net(torch.rand(2, 3, size, size))
    return net.eval()
