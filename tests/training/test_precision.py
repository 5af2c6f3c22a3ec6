"""The arithmetic of a training is what was requested, or what the device is fast in."""

import pytest

from distill.training.config import TrainerConfig
from distill.training.precision import resolved, slow_precision


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
