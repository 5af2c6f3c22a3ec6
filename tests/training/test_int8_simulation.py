"""Simulated int8 rounds as TFLite's quantizer does, and gradients pass it."""

from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from distill.errors import ConfigError
from distill.export.lanes import Job, Quantization, convert
from distill.models.checkpoint import load_model
from distill.tflite.interpreter import TFLiteNet
from distill.tflite.serialization import read_model
from distill.training.config import TrainerConfig
from distill.training.fit import train_teacher
from distill.training.int8_simulation import Int8Simulation, freeze_statistics, rounded_weights
from distill.training.tasks import LandmarkTask
from tests.support.environments import require_lane
from tests.support.training_runs import same_weights, weights
from tests.training.conftest import TEACHER

SIDE = 32


class Net(nn.Module):
    """A convolution, a depthwise one, a residual sum and a concatenation, as detectors have them."""

    def __init__(self) -> None:
        super().__init__()
        self.stem, self.norm = nn.Conv2d(3, 8, 3, stride=2, padding=1, bias=False), nn.BatchNorm2d(8)
        self.depthwise, self.linear = nn.Conv2d(8, 8, 3, padding=1, groups=8), nn.Conv2d(8, 8, 1)
        self.left, self.right = nn.Conv2d(8, 8, 1), nn.Conv2d(8, 4, 3, padding=1)
        self.last = nn.Conv2d(12, 5, 1)

    def forward(self, x: Tensor) -> Tensor:
        x = functional.relu6(self.norm(self.stem(x - 0.45)))
        x = x + self.linear(functional.relu6(self.depthwise(x)))
        x = torch.cat([functional.relu(self.left(x)), functional.relu(self.right(x))], dim=1)
        return self.last(x).permute(0, 2, 3, 1)


class Shipped(nn.Module):
    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net = net

    def forward(self, image: Tensor) -> Tensor:
        return self.net(image.permute(0, 3, 1, 2))


@pytest.fixture
def net() -> Net:
    torch.manual_seed(0)
    made = Net()
    for parameter in made.parameters():
        parameter.data *= 2
    made.norm.running_mean.uniform_(-0.2, 0.2)  # type: ignore[union-attr]
    made.norm.running_var.uniform_(0.1, 2)  # type: ignore[union-attr]
    return made.eval()


def ranged(net: nn.Module, images: Tensor) -> Int8Simulation:
    """Return a simulation whose ranges are those of one batch."""
    made = Int8Simulation(net, images[:1])
    with torch.no_grad(), made.train().rounding():
        net(images)
    return made.eval()


def ranges(path: Path) -> list[tuple[float, float]]:
    """Return the ends of the range of every result of a file, in the order in which they are read."""
    found, operators = [], read_model(path).operators
    inside = {tensor for operator in operators if operator.op == "CONCATENATION" for tensor in operator.inputs}
    for operator in operators:
        given, joined = operator.outputs[0].quantization, operator.outputs[0] in inside
        if operator.op not in ("QUANTIZE", "PAD", "DEQUANTIZE") and given is not None and not joined:
            scale, zero = given.scale[0], given.zero_point[0]
            found.append(((-128 - zero) * scale, (127 - zero) * scale))
    return found


@pytest.mark.slow
def test_it_rounds_as_the_exported_file_does(net: Net, tmp_path: Path) -> None:
    """Catches other scales or zero points, a ReLU that is not fused, and a sum or concatenation that is not rounded."""
    require_lane("modern")
    images = torch.randint(0, 256, (4, 3, SIDE, SIDE)) / 255  # as photos are: the file rounds its input too
    photos = [image.permute(1, 2, 0)[None].numpy().copy() for image in images]
    torch.onnx.export(
        Shipped(net).eval(), (torch.rand(1, SIDE, SIDE, 3),), str(tmp_path / "net.onnx"), input_names=["image"],
        opset_version=16, dynamo=False,
    )  # fmt: skip
    everything = Quantization(lambda: photos, lambda _: {"int8": []})
    path = tmp_path / "int8.tflite"
    path.write_bytes(convert(Job(tmp_path / "net.onnx", tmp_path, ("int8",), everything))["int8"])
    made, ends = Int8Simulation(net, images[:1]).eval(), ranges(path)
    made.low, made.high = torch.tensor(ends).T
    exported = np.concatenate([TFLiteNet(path)(photo)[0] for photo in photos])
    with torch.no_grad(), made.rounding():
        simulated = net(images).numpy()
    step = (ends[-1][1] - ends[-1][0]) / 255
    apart = np.abs(exported - simulated) / step
    assert apart.max() < 1.01
    assert (apart > 0.5).mean() < 0.05


def test_weights_have_one_scale_per_output_channel() -> None:
    weight = torch.randn(4, 3, 3, 3) * torch.tensor([1e-3, 1, 10, 1000]).view(-1, 1, 1, 1)
    error = (rounded_weights(weight, 0) - weight).abs().amax((1, 2, 3))
    step = weight.abs().amax((1, 2, 3)) / 127
    assert (error <= step / 2 * 1.001).all()
    assert (error > step / 8).all()


def test_gradients_pass(net: Net) -> None:
    images = torch.rand(2, 3, SIDE, SIDE)
    made = ranged(net, images)
    net.train()
    freeze_statistics(net.modules())
    before = net.norm.running_mean.clone()  # type: ignore[union-attr]
    with made.rounding():
        net(images).square().mean().backward()
    assert torch.equal(before, net.norm.running_mean)  # type: ignore[arg-type]
    rounded = {name: value.grad.clone() for name, value in net.named_parameters() if value.grad is not None}
    net.zero_grad()
    net(images).square().mean().backward()
    for name, value in net.named_parameters():
        assert functional.cosine_similarity(rounded[name].flatten(), value.grad.flatten(), dim=0) > 0.98, name  # type: ignore[union-attr]


class Decoded(NamedTuple):
    landmarks: Tensor
    maps: Tensor


class Decoder(Net):
    def forward(self, x: Tensor) -> Any:
        maps = super().forward(x)
        share = (maps * 3).flatten(1, 2).softmax(1)
        return Decoded((share * torch.linspace(0, 1, share.shape[1])[:, None]).sum(1), maps)


def test_the_decoder_stays_in_floats() -> None:
    """Products behind the last layer weigh positions; in 8 bits there are 256 of these."""
    torch.manual_seed(0)
    net, image = Decoder().eval(), torch.rand(1, 3, SIDE, SIDE)
    whole, part = Int8Simulation(net, image), Int8Simulation(net, image, lambda output: output.landmarks)
    assert not whole.exact
    assert len(part.exact) == 2
    for made in (whole, part):
        with torch.no_grad(), made.train().rounding():
            net(image)
    assert not part.low[list(part.exact)].any()
    assert not part.high[list(part.exact)].any()
    assert (part.high > part.low).sum() == len(part.low) - 2


def test_ranges_follow_the_training_and_not_the_validation(net: Net) -> None:
    images, brighter = torch.rand(2, 3, SIDE, SIDE), 3 * torch.rand(2, 3, SIDE, SIDE)
    made, unknown = ranged(net, images), brighter * torch.nan
    before = made.high.clone()
    with torch.no_grad(), made.rounding():
        net(brighter)
    assert torch.equal(made.high, before)
    with torch.no_grad(), made.train().rounding():
        net(brighter)
    assert (made.high > before).any()
    assert int(made.steps) == 2
    with torch.no_grad(), made.rounding():
        net(unknown)
    assert made.high.isfinite().all()


def test_a_resumed_training_is_the_one_that_nobody_interrupted(
    make_config: Any, teacher: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The ranges are part of a checkpoint, and of no model that is loaded from it."""
    model = replace(TEACHER, init=teacher)
    config = make_config("whole", model=model, trainer={"epochs": 2, "validate_every": 2, "precision": "int8"})
    whole = train_teacher(config)
    assert weights(whole / "last.ckpt")["int8.high"].any()
    assert not any("int8" in name for name in load_model(whole / "best.ckpt")[0].state_dict())
    step = LandmarkTask.training_step

    def fail(task: LandmarkTask, batch: Any, batch_idx: int) -> Any:
        if task.global_step == 5:  # one step after the last checkpoint
            raise RuntimeError("killed")
        return step(task, batch, batch_idx)

    with monkeypatch.context() as patched:
        patched.setattr(LandmarkTask, "training_step", fail)
        with pytest.raises(RuntimeError, match="killed"):
            train_teacher(replace(config, name="cut"))
    resumed = train_teacher(replace(config, name="cut", resume=True))
    assert same_weights(whole / "last.ckpt", resumed / "last.ckpt")


def test_options_that_it_has_no_effect_with(make_config: Any) -> None:
    with pytest.raises(ConfigError, match="precision int8 fine-tunes a trained network: give its checkpoint, --model"):
        train_teacher(make_config("run", trainer={"precision": "int8"}))
    with pytest.raises(ConfigError, match="not with several devices"):
        TrainerConfig(precision="int8", devices=2)
