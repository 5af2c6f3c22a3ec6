import copy

import pytest
import timm
import torch
from timm.models.mobilevit import MobileVitV2Block as Block
from torch import nn

from distill.errors import ExportError
from distill.export.rewrites.rewrite import export_form
from distill.models import create_model
from distill.models.heatmaps import as_distribution
from distill.models.mobilevit_v2_export import PlainTransformer
from distill.models.plain_norm import PlainNorm


@pytest.fixture(scope="module")
def backbone() -> nn.Module:
    torch.manual_seed(0)
    net = timm.create_model("mobilevitv2_050", features_only=True, pretrained=False)
    for parameter in net.parameters():
        if parameter.ndim == 1:
            nn.init.uniform_(parameter, 0.5, 1.5)
    return net.eval()


@pytest.mark.parametrize("size", [128, 256])
def test_the_rewritten_blocks_equal_timm_s(backbone: nn.Module, size: int) -> None:
    images = torch.rand(2, 3, size, size)
    with torch.no_grad():
        for stock, plain in zip(backbone(images), export_form(backbone)(images), strict=True):
            torch.testing.assert_close(plain, stock, rtol=0, atol=1e-5)


def test_phases_do_not_leak_into_each_other(backbone: nn.Module) -> None:
    """Queries far apart between phases: a mask that is too weak mixes them."""
    net = copy.deepcopy(backbone)
    with torch.no_grad():
        for name, parameter in net.named_parameters():
            if name.endswith("qkv_proj.weight"):
                parameter[:1] *= 4
        images = torch.rand(1, 3, 128, 128)
        for stock, plain in zip(net(images), export_form(net)(images), strict=True):
            torch.testing.assert_close(plain, stock, rtol=0, atol=2e-5)


def test_no_tensor_has_more_than_four_dimensions(backbone: nn.Module) -> None:
    from torch.utils._python_dispatch import TorchDispatchMode

    ranks = []

    class Watch(TorchDispatchMode):
        def __torch_dispatch__(self, func, types, args=(), kwargs=None):
            result = func(*args, **(kwargs or {}))
            ranks.append(result.ndim if isinstance(result, torch.Tensor) else 0)
            return result

    net = export_form(backbone)
    with torch.no_grad(), Watch():
        net(torch.rand(1, 3, 128, 128))
    assert max(ranks) <= 4


def test_the_network_itself_is_left_alone(backbone: nn.Module) -> None:
    before = [type(module) for module in backbone.modules()]
    weights = sum(parameter.sum() for parameter in backbone.parameters())
    export_form(backbone)
    assert [type(module) for module in backbone.modules()] == before
    assert sum(parameter.sum() for parameter in backbone.parameters()) == weights


def test_norms_equal_torch_s() -> None:
    norm = nn.GroupNorm(1, 8)
    for parameter in norm.parameters():
        nn.init.uniform_(parameter, -1, 1)
    x = torch.randn(2, 8, 16, 16) * 3 + 5
    plain = export_form(nn.Sequential(norm))
    assert not isinstance(plain[0], type(norm))
    with torch.no_grad():
        torch.testing.assert_close(plain(x), norm.eval()(x), rtol=0, atol=1e-5)


@pytest.mark.parametrize("norm", ["group", "batch"])
def test_a_whole_student_equals_itself(norm: str) -> None:
    """A norm's scale and shift, or a batch norm's statistics, folded wrongly; rows or columns doubled wrongly."""
    torch.manual_seed(0)
    net = create_model("mobilevit_v2_050", "five", width=16, norm=norm).eval()
    for name, parameter in net.named_parameters():
        if parameter.ndim == 1:
            nn.init.uniform_(parameter, *((0.5, 1.5) if name.endswith("weight") else (-0.2, 0.2)))
    with torch.no_grad():
        for _ in range(20):  # statistics that fit: without them the maps of a batch norm grow from layer to layer
            net.train()(torch.rand(2, 3, 128, 128))
        net.eval()
        stock, plain = net(images := torch.rand(1, 3, 128, 128)), export_form(net)(images)
    for part in ("landmarks", "point_maps", "edge_maps"):
        torch.testing.assert_close(plain.part(part), stock.part(part), rtol=1e-4, atol=1e-5)
    # Maps keep their shape and lose a scale that decoding divides by anyway.
    assert not torch.allclose(plain.part("heatmaps"), stock.part("heatmaps"), rtol=0.05)
    shapes = [as_distribution(prediction.part("heatmaps")) for prediction in (plain, stock)]
    torch.testing.assert_close(*shapes, rtol=1e-4, atol=1e-6)


def test_batch_norms_of_transformers_vanish() -> None:
    net = create_model("mobilevit_v2_050", "five", width=16, norm="batch")
    transformers = [module for module in export_form(net).modules() if isinstance(module, PlainTransformer)]
    assert len(transformers) == 9
    kept = (PlainNorm, nn.BatchNorm2d, nn.GroupNorm)
    assert not any(isinstance(module, kept) for block in transformers for module in block.modules())


def test_a_norm_nobody_can_rewrite_says_so(backbone: nn.Module) -> None:
    class Odd(nn.GroupNorm):
        pass

    net = nn.Sequential(next(module for module in copy.deepcopy(backbone).modules() if isinstance(module, Block)))
    net[0].norm = Odd(2, 64)
    with pytest.raises(ExportError, match="a Odd in a MobileViT block cannot be rewritten"):
        export_form(net)
