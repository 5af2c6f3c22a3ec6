"""Export form of any MobileViT of timm, v1 and v2, with tensors of at most four axes.

timm's attention of MobileViT v1 (arXiv 2110.02178) splits queries, keys and values through tensors of five axes:
onnx2tf stores the shape of a squeeze, which tflite-runtime 2.11 crashed on. Its v2 block unfolds patches through a 6-D
transpose, which that runtime refuses. The rewritten block of v1 unfolds its map channel-last by two transposes of four
axes and projects queries, keys and values apart; the block of v2 is in `mobilevit_v2_export.py`.

The rows that v1 attends to stay three-dimensional: onnx2tf takes a 4-D intermediate whose axes are equally long for a
channel-first map and permutes it.
"""

import copy
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from distill.errors import ConfigError, ExportError
from distill.models import mobilevit_v2_export  # registers the rewrite of v2
from distill.models.norm_folding import behind, outputs, statistics
from distill.models.patches import fitted, fold, patch_size, resized, unfold
from distill.models.rewrite import register_rewrite, rewrite_modules
from distill.system.timm_package import timm

__all__ = ["rewrite_mobilevit"]

MobileVitBlock = timm.models.mobilevit.MobileVitBlock
MobileVitV2Block = mobilevit_v2_export.MobileVitV2Block

# Options of timm's transformer block that no published MobileViT uses.
_UNUSED = ("ls1", "ls2", "attn.q_norm", "attn.k_norm", "attn.norm", "attn.gate", "mlp.norm")


def rewrite_mobilevit(net: nn.Module) -> nn.Module:
    """Return a copy of a network in eval mode whose MobileViT blocks have tensors of at most four axes.

    The copy takes the inputs that the network takes and equals it within the rounding of floats. `distill export`
    applies the same rewrites; this function is for networks of your own.

    Args:
        net: with `MobileVitBlock` or `MobileVitV2Block` of timm at any place; it is not changed.

    Raises:
        ConfigError: a network without such a block.
        ExportError: a block with parts that timm's MobileViT networks do not have.
    """
    blocks = (MobileVitBlock, MobileVitV2Block)
    if not any(isinstance(module, blocks) for module in net.modules()):
        raise ConfigError(
            f"no MobileViT block of timm in this {type(net).__name__}; export it as it is, or give a network such as "
            "timm's mobilevit_s or mobilevitv2_100"
        )
    return rewrite_modules(copy.deepcopy(net).eval(), only=blocks)


class SplitAttention(nn.Module):
    """timm's multi-head Attention without the 5-D permute: queries, keys and values are projected apart.

    Args:
        attention: the module to rewrite.
        norm: the norm in front of it, whose scale and shift its projections take over.
    """

    def __init__(self, attention: Any, norm: nn.Module) -> None:
        super().__init__()
        self.n_heads, self.width = attention.num_heads, attention.num_heads * attention.head_dim
        joint, width = behind(norm, attention.qkv), self.width
        self.query = outputs(joint, 0, width, attention.scale)
        self.key = outputs(joint, width, 2 * width)
        self.value = outputs(joint, 2 * width, 3 * width)
        self.project = attention.proj

    def forward(self, x: Float[Tensor, "g n c"]) -> Float[Tensor, "g n c"]:
        groups, positions = (int(size) for size in x.shape[:2])
        query, key, value = (self._heads(layer(x)) for layer in (self.query, self.key, self.value))
        attended = (query @ key.transpose(2, 3)).softmax(-1) @ value
        out: Tensor = self.project(attended.permute(0, 2, 1, 3).reshape(groups, positions, self.width))
        return out

    def _heads(self, x: Float[Tensor, "g n c"]) -> Float[Tensor, "g heads n d"]:
        groups, positions = (int(size) for size in x.shape[:2])
        return x.reshape(groups, positions, self.n_heads, -1).permute(0, 2, 1, 3)


class FlatTransformer(nn.Module):
    """timm's transformer Block without the 5-D permute, with its norms' scales and shifts in the layers behind them."""

    def __init__(self, block: Any) -> None:
        super().__init__()
        parts = dict(block.named_modules())
        for name in _UNUSED:
            if not isinstance(parts.get(name, nn.Identity()), nn.Identity):
                raise ExportError(
                    f"{name} ({type(parts[name]).__name__}) of a MobileViT transformer cannot be rewritten; "
                    "build the network with timm's defaults"
                )
        self.norm1, self.norm2 = statistics(block.norm1), statistics(block.norm2)
        self.attention = SplitAttention(block.attn, block.norm1)
        self.mlp = nn.Sequential(behind(block.norm2, block.mlp.fc1), block.mlp.act, block.mlp.fc2)

    def forward(self, x: Float[Tensor, "g n c"]) -> Float[Tensor, "g n c"]:
        x = x + self.attention(self.norm1(x))
        out: Tensor = x + self.mlp(self.norm2(x))
        return out


@register_rewrite(MobileVitBlock)
class FourAxesBlock(nn.Module):
    """MobileVitBlock of timm with tensors of at most four axes, for maps of any size."""

    def __init__(self, block: Any) -> None:
        super().__init__()
        self.patch = patch_size(block)
        self.local = nn.Sequential(block.conv_kxk, block.conv_1x1)
        layers = (FlatTransformer(layer) for layer in block.transformer)
        self.transformer = nn.Sequential(*layers, statistics(block.norm))
        self.project = nn.Sequential(behind(block.norm, block.conv_proj.conv), block.conv_proj.bn)
        self.fusion = block.conv_fusion

    def forward(self, x: Float[Tensor, "b c h w"]) -> Float[Tensor, "b d h w"]:
        local = self.local(x)
        shape = (int(local.shape[2]), int(local.shape[3]))
        patched = fitted(local, self.patch, align_corners=False)
        b, _, h, w = (int(size) for size in patched.shape)
        patches = self.transformer(unfold(patched, self.patch))
        out: Tensor = self.project(resized(fold(patches, (b, h, w), self.patch), shape, align_corners=False))
        return out if self.fusion is None else self.fusion(torch.cat((x, out), 1))
