"""A norm is its statistics and the layer behind it with its scale and shift."""

import pytest
import torch
from torch import nn

from distill.errors import ExportError
from distill.models.norm_folding import behind, outputs, statistics

SHAPES = {"layer": (2, 7, 8), "group": (2, 8, 5, 7), "batch": (2, 8, 5, 7)}
NORMS = {"layer": nn.LayerNorm(8), "group": nn.GroupNorm(1, 8), "batch": nn.BatchNorm2d(8)}


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("name", list(NORMS))
def test_a_norm_and_the_layer_behind_it(name: str, bias: bool) -> None:
    norm = NORMS[name].eval()
    layer = nn.Linear(8, 6, bias) if name == "layer" else nn.Conv2d(8, 6, 1, bias=bias)
    for parameter in norm.parameters():
        nn.init.uniform_(parameter, -1, 1)
    if isinstance(norm, nn.BatchNorm2d):
        nn.init.uniform_(norm.running_mean, -1, 1)
        nn.init.uniform_(norm.running_var, 0.5, 2)
    x = torch.randn(SHAPES[name]) * 3 + 5
    folded = behind(norm, layer)
    assert type(folded) is type(layer)
    with torch.no_grad():
        torch.testing.assert_close(folded(statistics(norm)(x)), layer(norm(x)), rtol=1e-5, atol=1e-5)


def test_norms_without_scale_and_shift() -> None:
    norm, layer = nn.LayerNorm(8, elementwise_affine=False), nn.Linear(8, 6)
    x = torch.randn(3, 8)
    with torch.no_grad():
        torch.testing.assert_close(behind(norm, layer)(statistics(norm)(x)), layer(norm(x)), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("layer", [nn.Linear(8, 6), nn.Linear(8, 6, bias=False), nn.Conv2d(8, 6, 1)])
def test_some_outputs_of_a_layer(layer: nn.Module) -> None:
    x = torch.randn(3, 8) if isinstance(layer, nn.Linear) else torch.randn(3, 8, 2, 2)
    with torch.no_grad():
        torch.testing.assert_close(outputs(layer, 2, 5, 0.5)(x), layer(x)[:, 2:5] / 2)


def test_precision_is_kept() -> None:
    norm, layer = nn.LayerNorm(4).double(), nn.Linear(4, 2).double()
    assert behind(norm, layer).weight.dtype == outputs(layer, 0, 1).bias.dtype == torch.float64


def test_other_norms_are_refused() -> None:
    with pytest.raises(ExportError, match="a GroupNorm in a MobileViT block cannot be rewritten"):
        statistics(nn.GroupNorm(2, 8))
