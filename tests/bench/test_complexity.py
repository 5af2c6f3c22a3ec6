import torch
from torch import nn

from distill.bench.complexity import complexity
from distill.models import create_model


def test_a_convolution_is_counted_by_hand() -> None:
    net = nn.Conv2d(3, 8, 3, padding=1, stride=2)
    cost = complexity(net, 32)
    assert cost.parameters == 3 * 8 * 9 + 8
    assert cost.macs == 3 * 8 * 9 * 16 * 16
    assert cost.bytes == 4 * cost.parameters


def test_fused_attention_counts() -> None:
    """The counter counts the GPU's fused kernels only; on a CPU attention would be free."""

    class Attention(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.scale = nn.Parameter(torch.ones(1))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            tokens = x.reshape(1, 1, -1, 3) * self.scale
            return nn.functional.scaled_dot_product_attention(tokens, tokens, tokens)

    assert complexity(Attention(), 8).macs == 2 * 64 * 64 * 3


def test_the_student_costs_what_its_card_says_and_stays_in_its_mode() -> None:
    net = create_model("mobilevit_v2_050", "inner51").train()
    cost = complexity(net, 128)
    assert 1.1e6 < cost.parameters < 1.3e6
    assert 0.1e9 < cost.macs < 0.2e9
    assert net.training
