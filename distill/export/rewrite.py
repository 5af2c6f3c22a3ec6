"""The same network written with operators every TensorFlow Lite runtime since 2.3 has.

timm's MobileViT-v2 block unfolds a map into 2x2 patches through a 6-D transpose, which TFLite stores as TRANSPOSE v6
and runtimes before 2.12 refuse. Training keeps timm's block, so published weights stay valid; only the exported copy
is rewritten here. Patches never need to be formed: the linear attention of MobileViT-v2 (arXiv 2206.02680) mixes
positions only within a *phase* (all pixels at the same place of their patch), so one softmax over all positions with
the other phases masked out, and two matrix products, give the same numbers on the unfolded map.
"""

import copy

import distill.torchvision_compat  # noqa: F401  isort: skip
import torch
from jaxtyping import Float
from timm.layers.norm import GroupNorm1
from timm.models.mobilevit import LinearSelfAttention, MobileVitV2Block
from torch import Tensor, nn

from distill.errors import ExportError

# exp(-30) is 1e-13 of a weight: nothing in float32. Larger values such as -1e4 would wreck an int8 range later.
_OUTSIDE = -30.0


def export_form(net: nn.Module) -> nn.Module:
    """Return a copy of `net` in eval mode with every block that converts badly rewritten, numerically equal."""
    return _rewritten(copy.deepcopy(net).eval())


def _rewritten(module: nn.Module, patch: tuple[int, int] | None = None) -> nn.Module:
    """Rewrite `module` or, failing that, its children; `patch` is the patch size of the block it lies in."""
    if isinstance(module, MobileVitV2Block):
        patch = (int(module.patch_size[0]), int(module.patch_size[1]))
    for name, child in module.named_children():
        setattr(module, name, _rewritten(child, patch))
    if isinstance(module, MobileVitV2Block):
        return WholeMapBlock(module)
    if isinstance(module, LinearSelfAttention) and patch is not None:
        return PhaseAttention(module, patch)
    if isinstance(module, GroupNorm1) or (isinstance(module, nn.GroupNorm) and module.num_groups == 1):
        return PlainNorm(module, across_channels=True)
    if isinstance(module, nn.InstanceNorm2d) and not module.track_running_stats:
        return PlainNorm(module, across_channels=False)
    return module


class PlainNorm(nn.Module):
    """GroupNorm with one group, or InstanceNorm, as means over 4-D maps, one scale and one shift."""

    def __init__(self, norm: nn.GroupNorm | nn.InstanceNorm2d, across_channels: bool) -> None:
        super().__init__()
        self.across_channels, self.eps = across_channels, norm.eps
        self.weight = None if norm.weight is None else nn.Parameter(norm.weight.detach().view(1, -1, 1, 1))
        self.bias = None if norm.bias is None else nn.Parameter(norm.bias.detach().view(1, -1, 1, 1))

    def forward(self, x: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c h w"]:
        centred = x - self._mean(x)
        scale = torch.rsqrt(self._mean(centred * centred) + self.eps)
        if self.weight is not None:
            scale = scale * self.weight
        return centred * scale if self.bias is None else centred * scale + self.bias

    def _mean(self, x: Tensor) -> Tensor:
        # Two steps because a mean over three axes at once converts to a flattened copy of the map.
        mean = x.mean((2, 3), keepdim=True)
        return mean.mean(1, keepdim=True) if self.across_channels else mean


class PhaseAttention(nn.Module):
    """timm's LinearSelfAttention on a map (b, c, h, w) instead of its patches (b, c, phases, patches)."""

    def __init__(self, attention: LinearSelfAttention, patch: tuple[int, int]) -> None:
        super().__init__()
        width = attention.embed_dim
        parts = [_slice_of(attention.qkv_proj, *ends) for ends in ((0, 1), (1, 1 + width), (1 + width, 1 + 2 * width))]
        self.query, self.key, self.value = parts
        self.out_proj, self.patch = attention.out_proj, patch

    def forward(self, x: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c h w"]:
        b, c, h, w = (int(size) for size in x.shape)
        inside = _phases(h, w, self.patch).to(x)
        query = self.query(x).reshape(b, 1, h * w)
        scores = (query + (1 - inside)[None] * _OUTSIDE).softmax(-1)
        key = self.key(x).permute(0, 2, 3, 1).reshape(b, h * w, c)
        context = (inside.T[None] @ (scores @ key)).reshape(b, h, w, c).permute(0, 3, 1, 2)
        out: Tensor = self.out_proj(self.value(x).relu() * context)
        return out


class WholeMapBlock(nn.Module):
    """MobileVitV2Block without unfold and fold; everything between them works position by position or by phase."""

    def __init__(self, block: MobileVitV2Block) -> None:
        super().__init__()
        self.patch_size = block.patch_size
        self.layers = nn.Sequential(block.conv_kxk, block.conv_1x1, block.transformer, block.norm, block.conv_proj)

    def forward(self, x: Float[Tensor, "b c h w"]) -> Float[Tensor, "b d h w"]:
        h, w = (int(size) for size in x.shape[2:])
        if h % self.patch_size[0] or w % self.patch_size[1]:
            raise ExportError(
                f"a {h}x{w} map cannot be cut into {self.patch_size[0]}x{self.patch_size[1]} patches; "
                "use an input size that is a multiple of 64 px"
            )
        out: Tensor = self.layers(x)
        return out


def _slice_of(conv: nn.Conv2d, first: int, last: int) -> nn.Conv2d:
    """Return a 1x1 convolution that gives only the output channels first ... last - 1."""
    part = nn.Conv2d(conv.in_channels, last - first, 1, bias=conv.bias is not None)
    part.weight = nn.Parameter(conv.weight[first:last].detach())
    if conv.bias is not None:
        part.bias = nn.Parameter(conv.bias[first:last].detach())
    return part.eval()


def _phases(h: int, w: int, patch: tuple[int, int]) -> Tensor:
    """Return (phases, h * w), 1 where a position belongs to the phase."""
    rows, columns = torch.arange(h) % patch[0], torch.arange(w) % patch[1]
    phase = (rows[:, None] * patch[1] + columns[None]).flatten()
    return (phase[None] == torch.arange(patch[0] * patch[1])[:, None]).float()
