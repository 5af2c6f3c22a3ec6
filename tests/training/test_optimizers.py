"""Optimisers, schedules and gradient accumulation."""

from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import nn

from distill.errors import ConfigError
from distill.models import Prediction
from distill.training.config import OptimConfig, RunConfig
from distill.training.fit import train_teacher
from distill.training.loggers.metrics_csv import read_rows
from distill.training.optimizers import lr_factor, make_optimizer
from distill.training.tasks import split_batch


def _factors(**options: Any) -> list[float]:
    return [lr_factor(step, 100, OptimConfig(warmup=0.1, **options)) for step in range(100)]


def test_schedules_start_with_the_same_warm_up() -> None:
    for schedule in ("cosine", "step", "constant"):
        assert _factors(schedule=schedule)[:10] == pytest.approx([(step + 1) / 10 for step in range(10)])


def test_cosine_ends_near_zero_and_constant_stays() -> None:
    cosine = _factors(schedule="cosine")
    assert cosine[10] == pytest.approx(1)
    assert cosine[99] < 1e-3
    assert cosine[10:] == sorted(cosine[10:], reverse=True)
    assert set(_factors(schedule="constant")[10:]) == {1.0}


def test_step_drops_at_its_milestones() -> None:
    factors = _factors(schedule="step", milestones=[0.5, 0.75], gamma=0.2)
    assert factors[49] == 1
    assert factors[50] == pytest.approx(0.2)
    assert factors[75] == pytest.approx(0.04)


@pytest.mark.parametrize(
    ("name", "kind"), [("adamw", torch.optim.AdamW), ("adam", torch.optim.Adam), ("sgd", torch.optim.SGD)]
)
def test_optimizers_by_name(name: str, kind: type) -> None:
    group = {"params": [torch.nn.Parameter(torch.ones(2))], "lr": 0.5, "weight_decay": 0.25}
    optimizer = make_optimizer([group], OptimConfig(name=name))  # type: ignore[arg-type]
    assert type(optimizer) is kind
    assert optimizer.param_groups[0]["lr"] == 0.5
    assert optimizer.param_groups[0]["weight_decay"] == 0.25


def test_momentum_is_that_of_sgd() -> None:
    group = {"params": [torch.nn.Parameter(torch.ones(2))], "lr": 0.5, "weight_decay": 0.0}
    assert make_optimizer([group], OptimConfig(name="sgd", momentum=0.3)).param_groups[0]["momentum"] == 0.3


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"momentum": 0.9}, r"--optim\.momentum has no effect with --optim\.name adamw: it belongs to sgd"),
        ({"gamma": 0.1}, r"--optim\.gamma has no effect with --optim\.schedule cosine: it belongs to step"),
        ({"milestones": [0.5], "schedule": "constant"}, r"--optim\.milestones has no effect"),
        ({"milestones": [170.0], "schedule": "step"}, r"shares of the training"),
        ({"gamma": 2.0, "schedule": "step"}, r"--optim\.gamma"),
        ({"momentum": 1.0, "name": "sgd"}, r"--optim\.momentum"),
    ],
)
def test_options_without_effect_and_out_of_range_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        OptimConfig(**options)


def test_a_batch_is_split_along_its_faces() -> None:
    batch = {"image": torch.arange(8), "targets": {"five": torch.arange(16).view(8, 2)}, "name": list("abcdefgh")}
    first, second = split_batch(batch, 2)
    assert first["image"].tolist() == [0, 1, 2, 3]
    assert second["targets"]["five"].tolist() == [[8, 9], [10, 11], [12, 13], [14, 15]]
    assert second["name"] == list("efgh")


def test_a_batch_must_divide_into_its_parts() -> None:
    config = RunConfig()
    with pytest.raises(ConfigError, match=r"--data\.batch_size 16 is no multiple of --trainer\.accumulate 3"):
        replace(config, trainer=replace(config.trainer, accumulate=3))
    with pytest.raises(ConfigError, match=r"--log\.gradients"):
        replace(config, trainer=replace(config.trainer, accumulate=2), log=replace(config.log, gradients=5))


class Linear(nn.Module):
    """Predicts landmarks without batch statistics or random numbers."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(3 * 8 * 8, 102)

    def forward(self, images: torch.Tensor) -> Prediction:
        pooled = nn.functional.adaptive_avg_pool2d(images, 8).flatten(1)
        return Prediction(landmarks=self.layer(pooled).view(-1, 51, 2))


def test_accumulated_steps_are_those_of_the_whole_batch(make_config: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("distill.training.build.create_model", lambda *_, **__: Linear())
    weights, losses = [], []
    for parts in (1, 2, 4):
        config = make_config(
            f"parts_{parts}",
            model={"arch": "efld", "options": {}},
            optim={"name": "sgd", "lr": 0.1, "ema": 0.0},
            trainer={"accumulate": parts, "epochs": 1},
        )
        folder = train_teacher(config)
        checkpoint = torch.load(folder / "last.ckpt", weights_only=True)
        assert checkpoint["global_step"] == 4
        weights.append(checkpoint["state_dict"]["net.layer.weight"])
        losses.append([value for _, name, value in read_rows(folder / "metrics.csv") if name == "train/loss"])
    for other in (1, 2):
        torch.testing.assert_close(weights[other], weights[0], rtol=1e-4, atol=1e-6)
        assert losses[other] == pytest.approx(losses[0], rel=1e-4)


def test_a_resumed_accumulated_training_is_bit_exact(make_config: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from distill.training.callbacks.checkpointing import RunCheckpoints

    def changes() -> dict[str, Any]:
        return {"trainer": {"accumulate": 2, "epochs": 2}}

    whole = train_teacher(make_config("whole", **changes()))
    original = RunCheckpoints.on_train_batch_end
    count = 0

    def stopping(self: RunCheckpoints, *args: Any) -> None:
        nonlocal count
        count += 1
        original(self, *args)
        if count == 6:
            raise RuntimeError("stopped")

    with monkeypatch.context() as patch:
        patch.setattr(RunCheckpoints, "on_train_batch_end", stopping)
        with pytest.raises(RuntimeError, match="stopped"):
            train_teacher(make_config("part", **changes()))
    resumed = train_teacher(make_config("part", resume=True, **changes()))
    first, second = (torch.load(run / "last.ckpt", weights_only=True)["state_dict"] for run in (whole, resumed))
    assert all(torch.equal(first[name], second[name]) for name in first)
