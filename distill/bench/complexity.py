"""How much a network holds and computes."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry

from distill.tflite.complexity import Complexity


class FlopCounter(TorchDispatchMode):
    """Sum of the floating-point operations of every operator that `torch.utils.flop_counter` has a formula for.

    `FlopCounterMode` also attributes them to modules, which takes several times as long as the network.

    Attributes:
        flops: twice the number of multiply-accumulate operations.
    """

    def __init__(self) -> None:
        super().__init__()
        self.flops = 0

    def __torch_dispatch__(
        self, func: Any, types: Sequence[type], args: Sequence[Any] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        out = func(*args, **(kwargs or {}))
        count: Callable[..., int] | None = flop_registry.get(func._overloadpacket)
        if count is not None:
            self.flops += count(*args, **(kwargs or {}), out_val=out)
        return out


def complexity(net: nn.Module, size: int) -> Complexity:
    """Count parameters, MACs and bytes of a network for one (1, 3, size, size) image."""
    device = next(net.parameters()).device
    was_training = net.training
    net.eval()
    # Fused attention on the CPU is invisible to the counter; its plain form is not, and multiplies the same.
    with torch.no_grad(), sdpa_kernel(SDPBackend.MATH), FlopCounter() as counter:
        net(torch.zeros(1, 3, size, size, device=device))
    net.train(was_training)
    tensors = [*net.parameters(), *net.buffers()]
    return Complexity(
        parameters=sum(parameter.numel() for parameter in net.parameters()),
        macs=counter.flops // 2,
        bytes=sum(tensor.numel() * tensor.element_size() for tensor in tensors),
    )
