"""Activation checkpointing: less memory, the same outputs and gradients."""

import pytest
import torch
from torch import nn

from distill.errors import ConfigError
from distill.models import create_model
from distill.models.activation_checkpointing import checkpoint_activations

SWIN = {"embed_dim": 16, "depths": [1, 2, 4, 1], "num_heads": [1, 1, 2, 2], "window_size": 4, "drop_path_rate": 0.2}


def swin() -> nn.Module:
    torch.manual_seed(0)
    return create_model("swin_v2", "five", image_size=64, width=16, neck="pyramid", backbone_args=SWIN).train()


def step(net: nn.Module) -> tuple[int, list[torch.Tensor]]:
    """Return the bytes kept for the backward pass, and the output and all gradients."""
    kept = dict[int, int]()

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    torch.manual_seed(1)
    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        output = net(torch.rand(2, 3, 64, 64)).landmarks
    output.square().sum().backward()
    return sum(kept.values()), [output, *(p.grad for p in net.parameters() if p.grad is not None)]


def test_less_is_kept_and_nothing_changes() -> None:
    plain, saving = swin(), swin()
    checkpoint_activations(saving)
    (much, expected), (little, found) = step(plain), step(saving)
    weights = sum(p.numel() * 4 for p in plain.parameters())
    assert little - weights < 0.5 * (much - weights)
    assert len(found) == len(expected) > 50
    assert all(map(torch.equal, found, expected))


@pytest.mark.parametrize("arch", ["efld", "mobilevit_v2_050"])
def test_networks_without_such_blocks_are_refused(arch: str) -> None:
    with pytest.raises(ConfigError, match=r"--trainer.recompute has no effect: the blocks of this"):
        checkpoint_activations(create_model(arch, "five"))


def test_batch_norms_are_refused() -> None:
    net = swin()
    net.backbone.layers_0.blocks[0].norm1 = nn.BatchNorm2d(16)
    with pytest.raises(ConfigError, match="has batch norms, which would count each batch twice"):
        checkpoint_activations(net)
