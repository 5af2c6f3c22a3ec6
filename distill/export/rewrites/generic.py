"""Rewrites of layers of torch that convert badly, in any network."""

import torch
from torch import nn

from distill.models.plain_norm import PlainNorm
from distill.models.rewrite import register_rewrite


@register_rewrite(nn.GroupNorm)
def plain_norm(norm: nn.GroupNorm) -> nn.Module | None:
    """Replace a norm of one group by means over 4-D maps."""
    return PlainNorm(norm) if norm.num_groups == 1 else None


@register_rewrite(nn.Conv2d)
def pointwise(conv: nn.Conv2d) -> nn.Module | None:
    """Replace a grouped 1x1 convolution by an ordinary one."""
    return dense(conv) if conv.kernel_size == (1, 1) and conv.groups > 1 else None


def dense(conv: nn.Conv2d) -> nn.Conv2d:
    """Return a grouped 1x1 convolution as an ordinary one with zeros between its groups."""
    whole = nn.Conv2d(conv.in_channels, conv.out_channels, 1, bias=conv.bias is not None)
    weight = torch.block_diag(*(part[:, :, 0, 0] for part in conv.weight.detach().chunk(conv.groups)))
    whole.weight = nn.Parameter(weight[..., None, None])
    whole.bias = conv.bias
    return whole.eval()
