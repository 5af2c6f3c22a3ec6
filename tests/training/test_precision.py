"""The arithmetic of a training is what was requested, or what the device is fast in."""

from collections.abc import Callable, Iterator
from copy import deepcopy

import pytest
import torch
from timm.layers import Conv2dSame
from torch import nn

from distill.errors import ConfigError
from distill.training.config import TrainerConfig
from distill.training.precision import (
    keep_strided_depthwise_in_float32,
    resolved,
    set_precision,
    slow_precision,
)


@pytest.fixture
def device(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    """A machine whose processor computes in bfloat16 or not, with a GPU that does, does not, or is not there."""
    machine, capable, gpu = request.param
    monkeypatch.setattr("platform.machine", lambda: machine)
    monkeypatch.setattr("torch.cpu._is_avx512_bf16_supported", lambda: capable)
    monkeypatch.setattr("torch.cpu._is_amx_tile_supported", lambda: False)
    monkeypatch.setattr("torch.cuda.is_available", lambda: gpu is not None)
    monkeypatch.setattr("torch.cuda.is_bf16_supported", lambda including_emulation: bool(gpu))


@pytest.mark.parametrize(
    ("device", "accelerator", "fast", "warned"),
    [
        (("x86_64", True, None), "auto", "bf16", False),
        (("x86_64", False, None), "auto", "32", True),
        (("aarch64", True, None), "cpu", "32", False),
        (("x86_64", False, True), "auto", "bf16", False),
        (("x86_64", False, True), "cpu", "32", True),
        (("x86_64", True, False), "gpu", "32", True),
    ],
    indirect=["device"],
)
def test_auto_is_what_the_device_is_fast_in(device: None, accelerator: str, fast: str, warned: bool) -> None:
    assert resolved(TrainerConfig(accelerator=accelerator, precision="auto")) == fast
    assert slow_precision(TrainerConfig(accelerator=accelerator, precision="auto")) is None
    assert bool(slow_precision(TrainerConfig(accelerator=accelerator, precision="bf16"))) == warned
    for requested in ("32", "bf16"):
        assert resolved(TrainerConfig(accelerator=accelerator, precision=requested)) == requested


@pytest.fixture
def switches() -> Iterator[Callable[[], tuple[bool, bool]]]:
    """Read whether products and convolutions may use TensorFloat-32; both are as before afterwards."""
    matmul, cudnn = torch.backends.cuda.matmul, torch.backends.cudnn
    before = matmul.allow_tf32, cudnn.allow_tf32
    yield lambda: (matmul.allow_tf32, cudnn.allow_tf32)
    matmul.allow_tf32, cudnn.allow_tf32 = before


@pytest.mark.parametrize("device", [("x86_64", True, True)], indirect=True)
def test_tensorfloat_32_is_used_where_requested_alone(device: None, switches: Callable[[], tuple[bool, bool]]) -> None:
    expected = [("tf32", "32-true", True), ("32", "32-true", False), ("bf16", "bf16-mixed", False)]
    for requested, name, allowed in expected:
        assert set_precision(TrainerConfig(accelerator="gpu", precision=requested)) == name
        assert switches() == (allowed, allowed)


@pytest.mark.parametrize("precision", ["16", "tf32"])
def test_what_needs_a_gpu_is_refused_without_one(precision: str) -> None:
    with pytest.raises(ConfigError, match=rf"--trainer.precision {precision} needs an NVIDIA GPU; take bf16 or 32"):
        resolved(TrainerConfig(accelerator="cpu", precision=precision))


def test_strided_depthwise_convolutions_compute_in_float32_and_return_bfloat16() -> None:
    """Also those that pad by themselves; the others, and the names of the weights, stay as they are."""
    torch.manual_seed(0)
    depthwise = nn.Conv2d(4, 4, 3, 2, 1, groups=4)
    net = nn.Sequential(nn.Conv2d(3, 4, 1), depthwise, Conv2dSame(4, 4, 3, 2, groups=4), nn.Conv2d(4, 4, 3, groups=4))
    changed = deepcopy(net)
    keep_strided_depthwise_in_float32(changed)
    changed = deepcopy(changed)  # as the moving average of the weights does
    assert [type(after) is not type(before) for before, after in zip(net, changed, strict=True)] == [0, 1, 1, 0]
    assert changed.state_dict().keys() == net.state_dict().keys()
    images = torch.rand(2, 3, 16, 16)
    assert torch.equal(changed(images), net(images))
    kinds: list[torch.dtype] = []
    changed[1].register_forward_hook(lambda module, inputs, output: kinds.append(output.dtype))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        plain, found = (part(images) for part in (net, changed))
        rounded = net[0](images)
        exact = changed[1](rounded)
    assert set(kinds) == {torch.bfloat16}
    assert found.dtype == plain.dtype == torch.bfloat16
    assert torch.equal(exact, depthwise(rounded.float()).bfloat16())
