"""MobileViT-v2 blocks without the 6-D transpose, for any network of timm that has them.

timm's block unfolds a map into 2x2 patches through a 6-D transpose, which TFLite stores as TRANSPOSE v6 and runtimes
before 2.12 refuse. Training keeps timm's block, so published weights stay valid; only the exported copy is rewritten.
Patches never need to be formed: the linear attention of MobileViT-v2 (arXiv 2206.02680) mixes positions only within a
*phase* (all pixels at the same position of their patch), so one softmax over all positions with the other phases masked
out gives the same numbers on the unfolded map.

Superfluous work is left out too: a norm's scale and shift go into the 1x1 convolution behind it and, as the scores of
a phase sum to one, keys are averaged before they are projected instead of after.
"""

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from distill.models.norm_folding import behind, outputs, statistics
from distill.models.patches import fitted, patch_size
from distill.models.rewrite import register_rewrite
from distill.system.timm_package import timm

LinearSelfAttention = timm.models.mobilevit.LinearSelfAttention
LinearTransformerBlock = timm.models.mobilevit.LinearTransformerBlock
MobileVitV2Block = timm.models.mobilevit.MobileVitV2Block

# exp(-30) is 1e-13 of a weight: nothing in float32. Larger values such as -1e4 would wreck an int8 range later.
_OUTSIDE = -30.0


class PhaseAttention(nn.Module):
    """timm's LinearSelfAttention on a map (b, c, h, w) instead of its patches (b, c, phases, patches).

    Args:
        attention: the block to rewrite.
        patch: height and width of a patch.
        norm: the norm in front of it, whose scale and shift its projections take over: it reads `PlainNorm` without.
    """

    def __init__(self, attention: LinearSelfAttention, patch: tuple[int, int], norm: nn.Module) -> None:
        super().__init__()
        width, joint = attention.embed_dim, behind(norm, attention.qkv_proj)
        parts = [outputs(joint, *ends) for ends in ((0, 1), (1, 1 + width), (1 + width, 1 + 2 * width))]
        self.query, self.key, self.value = parts
        self.out_proj, self.patch = attention.out_proj, patch

    def forward(self, x: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c h w"]:
        b, c, h, w = (int(size) for size in x.shape)
        rows, columns = self.patch
        query = self.query(x).reshape(b, 1, h * w)
        scores = (query + (1 - _phases(h, w, self.patch).to(x))[None] * _OUTSIDE).softmax(-1)
        # The scores of a phase sum to 1, so projecting their average of x is averaging the projections.
        pooled = scores @ x.permute(0, 2, 3, 1).reshape(b, h * w, c)
        context = self.key(pooled.reshape(b, rows, columns, c).permute(0, 3, 1, 2))
        # With (columns, c) as one axis a phase's context meets its positions by broadcasting four axes, not six.
        context = context.permute(0, 2, 3, 1).reshape(b, rows, 1, columns * c)
        if b > 1:
            context = context.repeat_interleave(h // rows, 0)
        value = self.value(x).relu().permute(0, 2, 3, 1).reshape(b * h // rows, rows, w // columns, columns * c)
        out: Tensor = self.out_proj((value * context).reshape(b, h, w, c).permute(0, 3, 1, 2))
        return out


class PlainTransformer(nn.Module):
    """timm's LinearTransformerBlock on a map, with its norms' scales and shifts in the convolutions behind them."""

    def __init__(self, block: LinearTransformerBlock, patch: tuple[int, int]) -> None:
        super().__init__()
        self.norm1, self.norm2 = statistics(block.norm1), statistics(block.norm2)
        self.attention = PhaseAttention(block.attn, patch, block.norm1)
        self.mlp = nn.Sequential(behind(block.norm2, block.mlp.fc1), block.mlp.norm, block.mlp.act, block.mlp.fc2)

    def forward(self, x: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c h w"]:
        x = x + self.attention(self.norm1(x))
        out: Tensor = x + self.mlp(self.norm2(x))
        return out


@register_rewrite(MobileVitV2Block)
class WholeMapBlock(nn.Module):
    """MobileVitV2Block without unfold and fold; everything between them works position by position or by phase."""

    def __init__(self, block: MobileVitV2Block) -> None:
        super().__init__()
        self.patch = patch = patch_size(block)
        transformer: list[Any] = list(block.transformer)
        project: Any = block.conv_proj
        self.layers = nn.Sequential(
            block.conv_kxk,
            block.conv_1x1,
            *(PlainTransformer(layer, patch) for layer in transformer),
            statistics(block.norm),
            behind(block.norm, project.conv),
            project.bn,
        )

    def forward(self, x: Float[Tensor, "b c h w"]) -> Float[Tensor, "b d h w"]:
        out: Tensor = self.layers(fitted(x, self.patch, align_corners=True))
        return out


def _phases(h: int, w: int, patch: tuple[int, int]) -> Tensor:
    """Return (phases, h * w), 1 where a position belongs to the phase."""
    rows, columns = torch.arange(h) % patch[0], torch.arange(w) % patch[1]
    phase = (rows[:, None] * patch[1] + columns[None]).flatten()
    return (phase[None] == torch.arange(patch[0] * patch[1])[:, None]).float()
