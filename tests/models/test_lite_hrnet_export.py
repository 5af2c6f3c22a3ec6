import torch
from torch import Tensor, nn

from distill.export.rewrites.generic import dense
from distill.models.channel_weighting import ChannelWeighting
from distill.models.lite_hrnet_export import WholeChannels


def _block() -> tuple[ChannelWeighting, list[Tensor]]:
    torch.manual_seed(0)
    block = ChannelWeighting([8, 16], [1, 2])
    block([torch.randn(4, 8, 8, 8), torch.randn(4, 16, 4, 4)])
    return block.eval(), [torch.rand(2, 8, 8, 8), torch.rand(2, 16, 4, 4)]


def test_all_channels_give_what_half_of_them_give() -> None:
    block, maps = _block()
    for outputs, expected in zip(WholeChannels(block)(maps), block(maps), strict=True):
        torch.testing.assert_close(outputs, expected, rtol=1e-5, atol=1e-6)


def test_eight_bit_sigmoids_leave_alone_what_is_not_worked_on() -> None:
    block, maps = _block()
    whole = WholeChannels(block)

    def integers(_layer: nn.Module, _inputs: tuple[Tensor, ...], output: Tensor) -> Tensor:
        # TFLite's 8-bit LOGISTIC: scale 1/256, 256 steps from 0.
        return (output * 256).round().clamp(0, 255) / 256

    for layer in whole.modules():
        if isinstance(layer, nn.Sigmoid):
            layer.register_forward_hook(integers)
    for i, (x, out) in enumerate(zip(maps, whole(maps), strict=True)):
        rest = [channel for channel in range(x.shape[1]) if channel not in block.positions(i).tolist()]
        torch.testing.assert_close(out[:, rest], x[:, rest], rtol=1e-5, atol=1e-6)


def test_a_grouped_convolution_becomes_an_ordinary_one() -> None:
    conv, x = nn.Conv2d(6, 9, 1, groups=3), torch.randn(2, 6, 5, 5)
    assert dense(conv).groups == 1
    torch.testing.assert_close(dense(conv)(x), conv(x), rtol=1e-5, atol=1e-6)
