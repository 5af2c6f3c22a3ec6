"""The moving average against a loop in plain Python."""

from types import SimpleNamespace
from typing import Any

import pytest
import pytorch_lightning as pl
import torch
from torch import nn

from distill.training.callbacks.ema import WeightEMA


class _Net(pl.LightningModule):
    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(2))
        self.register_buffer("mean", torch.zeros(1))
        self.register_buffer("count", torch.zeros((), dtype=torch.long))


@pytest.mark.parametrize("decay", [0.5, 0.9])
def test_weights_and_buffers_are_averaged_and_counters_copied(decay: float) -> None:
    net, ema = _Net(), WeightEMA(decay)
    trainer: Any = SimpleNamespace(global_step=0, strategy=SimpleNamespace(root_device=torch.device("cpu")))
    ema.setup(trainer, net, "fit")
    expected: float | None = None
    for step in range(1, 30):
        value = (step * 7919 % 13) / 13
        with torch.no_grad():
            net.weight.fill_(value)
            net.mean.fill_(-value)
            net.count.fill_(step)
        trainer.global_step = step
        ema.on_train_batch_end(trainer, net, None, None, step)
        n = step - 1
        keep = min(decay, (1 + n) / (10 + n))
        expected = value if expected is None else keep * expected + (1 - keep) * value
        averaged = ema._average_model.module  # type: ignore[union-attr]
        assert averaged.weight.tolist() == pytest.approx([expected] * 2, abs=1e-6)
        assert averaged.mean.item() == pytest.approx(-expected, abs=1e-6)
        assert averaged.count.item() == step
    assert net.weight[0].item() == pytest.approx(value), "the weights in training stay as they are"


def test_the_average_is_made_on_the_device_of_the_training_and_its_count_on_the_cpu() -> None:
    """Lightning moves the network there only later; `meta` stands for a GPU."""
    ema = WeightEMA(0.9)
    trainer: Any = SimpleNamespace(strategy=SimpleNamespace(root_device=torch.device("meta")))
    ema.setup(trainer, _Net(), "fit")
    assert ema._average_model is not None
    assert ema._average_model.module.weight.device.type == "meta"
    assert ema._average_model.n_averaged.device.type == "cpu"
