"""How much a network holds and computes."""

import torch
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from distill.tflite.complexity import Complexity


def complexity(net: nn.Module, size: int) -> Complexity:
    """Count parameters, MACs and bytes of a network for one (1, 3, size, size) image."""
    device = next(net.parameters()).device
    was_training = net.training
    net.eval()
    # Fused attention on the CPU is invisible to the counter; its plain form is not, and multiplies the same.
    with torch.no_grad(), sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counter:
        net(torch.zeros(1, 3, size, size, device=device))
    net.train(was_training)
    tensors = [*net.parameters(), *net.buffers()]
    return Complexity(
        parameters=sum(parameter.numel() for parameter in net.parameters()),
        macs=counter.get_total_flops() // 2,
        bytes=sum(tensor.numel() * tensor.element_size() for tensor in tensors),
    )
