import distill.torchvision_compat  # noqa: F401  isort: skip
import pytest
import timm
import torch
from torch import nn

from distill.errors import ExportError
from distill.export.rewrite import export_form


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
    import copy

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


@pytest.mark.parametrize("norm", [nn.GroupNorm(1, 8), nn.InstanceNorm2d(8), nn.InstanceNorm2d(8, affine=True)])
def test_norms_equal_torch_s(norm: nn.Module) -> None:
    for parameter in norm.parameters():
        nn.init.uniform_(parameter, -1, 1)
    x = torch.randn(2, 8, 16, 16) * 3 + 5
    plain = export_form(nn.Sequential(norm))
    assert not isinstance(plain[0], type(norm))
    with torch.no_grad():
        torch.testing.assert_close(plain(x), norm.eval()(x), rtol=0, atol=1e-5)


def test_a_size_that_cannot_be_cut_into_patches_says_so(backbone: nn.Module) -> None:
    with pytest.raises(ExportError, match=r"3x3 map cannot be cut.*multiple of 64"):
        export_form(backbone)(torch.rand(1, 3, 96, 96))
