"""litert-torch as a second converter: what it says, and what happens where it is not."""

import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import nn

from distill.errors import ConfigError, ExportError
from distill.export.verify import cross_check as opinions
from distill.export.verify.cross_check import CrossCheck
from distill.export.verify.tolerances import Gate
from distill.geometry import CropSpec
from distill.models import create_model
from distill.spec import ModelSpec
from distill.tflite.runtimes import list_runtimes
from tests.support.tiny_models import GAIN, POINTS, SIZE, base_points, write_tiny_tflite


def test_where_it_is_missing_one_line_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "litert_torch" else find(name))
    monkeypatch.delenv(opinions.LITERT_TORCH_PYTHON, raising=False)
    with pytest.raises(ConfigError, match="pip install litert-torch==") as caught:
        opinions.find_litert_torch()
    assert "\n" not in str(caught.value)
    for python in (sys.executable if find("litert_torch") is None else "/bin/false", str(tmp_path / "none")):
        monkeypatch.setenv(opinions.LITERT_TORCH_PYTHON, python)
        with pytest.raises(ConfigError, match=f"{opinions.LITERT_TORCH_PYTHON}={python}"):
            opinions.find_litert_torch()


def test_the_saved_program_is_the_network(tmp_path: Path) -> None:
    """Catches regions without autocast, which torch saves and then cannot load, and an input that is not NHWC.

    The regions are in the decoder, which is the same behind a small backbone.
    """
    spec = ModelSpec("timm:test_efficientnet", "inner51", 51, CropSpec(64), {"width": 8})
    torch.manual_seed(0)
    net = create_model(spec.arch, spec.scheme, **spec.options).eval()
    program = torch.export.load(str(opinions.save_program(net, spec, tmp_path / "net.pt2")))
    image = torch.rand(1, spec.crop.size, spec.crop.size, 3, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        points, wanted = program.module()(image), net(image.permute(0, 3, 1, 2)).landmarks
    assert points.shape == (1, spec.n_points, 2)
    torch.testing.assert_close(points, wanted, atol=1e-4, rtol=0)


class NoTrace(nn.Module):
    """A network torch.export cannot follow: its shape depends on its values."""

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return images if images.sum().item() > 0 else images[:0]


def test_what_cannot_be_traced_is_one_line(spec: ModelSpec, tmp_path: Path) -> None:
    with pytest.raises(ExportError, match="has no torch form") as caught:
        opinions.save_program(NoTrace(), spec, tmp_path / "net.pt2")
    assert "\n" not in str(caught.value)


def test_a_failing_converter_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "net.pt2").write_bytes(b"no program")
    # This Python has no litert_torch, so that the worker fails on its first line.
    if importlib.util.find_spec("litert_torch"):
        pytest.skip("litert_torch is installed beside the project")
    with pytest.raises(ExportError, match=r"cannot convert .*No module named 'litert_torch'") as caught:
        opinions.convert(sys.executable, tmp_path / "net.pt2", tmp_path / "out.tflite")
    assert "\n" not in str(caught.value)


class Tiny(nn.Module):
    """The network behind `tests/support/tiny_models.py`."""

    def __init__(self) -> None:
        super().__init__()
        self.base = nn.Parameter(torch.from_numpy(base_points()))

    def forward(self, images: torch.Tensor) -> SimpleNamespace:
        return SimpleNamespace(landmarks=self.base[None] + GAIN * images.mean((1, 2, 3))[:, None, None])


TINY = ModelSpec("tiny", "inner51", POINTS, CropSpec(SIZE))


@pytest.fixture
def judge(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    """Return a function that asks for an opinion on Tiny, given how far each converter's file is moved."""
    right = write_tiny_tflite(tmp_path / "right.tflite").read_bytes()

    def moved(name: str, by: float) -> Path:
        base = base_points()
        assert right.count(base.tobytes()) == 1
        path = tmp_path / f"{name}.tflite"
        path.write_bytes(right.replace(base.tobytes(), (base + np.float32(by)).tobytes()))
        return path

    def convert(python: str, program: Path, target: Path) -> str:
        shutil.copy(tmp_path / "second.tflite", target)
        return "litert-torch 0.0"

    def ask(ours: float, second: float) -> CrossCheck:
        moved("second", second)
        crops = np.random.default_rng(0).random((3, SIZE, SIZE, 3), np.float32)
        return opinions.cross_check(Tiny(), TINY, crops, moved("ours", ours))

    litert = [runtime for runtime in list_runtimes() if runtime.name == "litert"]
    monkeypatch.setattr(opinions, "find_litert_torch", lambda: sys.executable)
    monkeypatch.setattr(opinions, "save_program", lambda net, spec, path: path)
    monkeypatch.setattr(opinions, "convert", convert)
    monkeypatch.setattr(opinions, "list_runtimes", lambda: litert)
    return ask


def test_agreement(judge) -> None:
    opinion = judge(0.0, 0.0001)
    assert opinion.passed
    assert opinion.verdict == "both converters agree with PyTorch"
    # A ten-thousandth of 64 px, on x and y.
    assert opinion.distances["ours - litert-torch"].mean_px == pytest.approx(0.0064 * 2**0.5, rel=1e-2)
    assert opinion.distances["PyTorch - ours"].max_px < 1e-3
    assert opinion.files["ours"].nodes == opinion.files["litert-torch"].nodes > 0
    assert opinion.to_dict()["verdict"] == opinion.verdict
    assert opinions.render(opinion).row_count == 3


@pytest.mark.parametrize(
    ("ours", "second", "verdict"),
    [
        (0.0, 0.1, "moved the landmarks: litert-torch (9.051 px)"),
        (0.1, 0.0, "moved the landmarks: ours (9.051 px)"),
        (0.1, 0.1, "moved the landmarks: ours (9.051 px) and litert-torch (9.051 px)"),
        (0.0005, -0.0005, "the two converters differ from each other"),
    ],
)
def test_the_one_that_is_wrong_is_named(judge, ours: float, second: float, verdict: str) -> None:
    """Either converter can be the one that disagrees with PyTorch."""
    opinion = judge(ours, second)
    assert not opinion.passed
    assert opinion.verdict.startswith(verdict)


def test_points_that_are_no_numbers_never_pass() -> None:
    assert not opinions.Distance(float("nan"), 0.0).within(Gate(1, 1))
    assert not opinions.Distance(0.0, float("nan")).within(Gate(1, 1))


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_litert_torch_agrees(net: nn.Module, spec: ModelSpec, crops: NDArray[np.float32]) -> None:
    """The real converter on random weights, norms included."""
    if not os.environ.get(opinions.LITERT_TORCH_PYTHON):
        try:
            opinions.find_litert_torch()
        except ConfigError as error:
            pytest.skip(str(error))
    opinion = opinions.cross_check(net, spec, crops)
    assert opinion.converter.startswith("litert-torch 0.")
    assert opinion.passed, opinion.verdict
    assert opinion.files["litert-torch"].nodes > 100


def test_the_worker_runs_without_this_package(tmp_path: Path) -> None:
    """It is run by path in another environment: an import of `distill` would break it there only."""
    worker = shutil.copy(opinions._WORKER, tmp_path / "worker.py")
    command = [sys.executable, "-I", str(worker), "none.pt2", "out.tflite"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 3
    assert "Traceback" not in done.stderr
