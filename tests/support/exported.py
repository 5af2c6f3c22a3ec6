"""One real conversion in every mode, shared by all tests of a run: it takes a minute.

Tests that use `exported` run on one worker (tests/conftest.py), so that it is made once.
"""

import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import nn

from distill.export import pipeline
from distill.export.calibration import Calibration, calibrate_on
from distill.export.config import CalibrationConfig, ExportConfig
from distill.export.pipeline import ExportResult
from distill.export.quantization_modes import MODES
from distill.export.verify.tolerances import GATES, Gate, GateConfig
from distill.geometry import CropSpec
from distill.models import create_model
from distill.spec import ModelSpec, sidecar_path
from distill.tflite.model import Model, Operator, SubGraph, Tensor
from distill.tflite.runtimes import list_runtimes
from distill.tflite.schema import builtin_operators
from distill.tflite.serialization import write_model
from tests.support.environments import present_lane

SIZE = 64


@pytest.fixture(scope="session")
def spec() -> ModelSpec:
    return ModelSpec("mobilevit_v2_050", "inner51", 51, CropSpec(size=SIZE))


@pytest.fixture(scope="session")
def net() -> nn.Module:
    """A student with random weights, also in its norms, so that a scale or shift that is dropped shows."""
    torch.manual_seed(0)
    model = create_model("mobilevit_v2_050", "inner51").eval()
    for name, parameter in model.named_parameters():
        if parameter.ndim == 1 and "norm" in name:
            nn.init.uniform_(parameter, 0.5, 1.5)
    return model


def export(
    net: nn.Module,
    spec: ModelSpec,
    out: Path,
    crops: NDArray[np.float32],
    landmarks: NDArray[np.floating] | None = None,
    calibration: Calibration | None = None,
    gates: Mapping[str, Gate] = GATES,
    **options: Any,
) -> ExportResult:
    """Convert a network, require its gates and publish it; `options` are those of `ExportConfig`."""
    config = ExportConfig(gates=GateConfig(**gates), **options)
    with pipeline.convert(net, spec, out, crops, config, landmarks, calibration) as conversion:
        conversion.require()
        return conversion.publish()


@pytest.fixture(scope="session")
def crops() -> NDArray[np.float32]:
    return np.random.default_rng(0).random((3, SIZE, SIZE, 3), np.float32)


@pytest.fixture(scope="session")
def exported(
    net: nn.Module, spec: ModelSpec, crops: NDArray[np.float32], tmp_path_factory: pytest.TempPathFactory
) -> ExportResult:
    """Every mode of file. Random weights on noise say nothing about the gates of integers, so those stand open."""
    landmarks = np.random.default_rng(1).random((3, 51, 2))
    calibration = calibrate_on(spec, CalibrationConfig(faces=3))
    gates = dict(GATES) | {mode: Gate(SIZE, SIZE, 9, 1) for mode in MODES if MODES[mode].rounding in ("weights", "all")}
    quick = [runtime for runtime in list_runtimes() if runtime.name != "tensorflow"]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pipeline, "list_runtimes", lambda: quick)
        return export(
            net, spec, tmp_path_factory.mktemp("exported"), crops, landmarks, modes=list(MODES), gates=gates,
            calibration=calibration, lane=present_lane(),
        )  # fmt: skip


@pytest.fixture
def reuse_exported(exported: ExportResult, net: nn.Module, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the pipeline find the files of `exported` instead of making them again, and check them in LiteRT only.

    The ONNX file of another network than `net` is a new one.
    """
    make_onnx: Callable[..., Path] = pipeline.export_onnx

    def copy_onnx(given: nn.Module, spec: ModelSpec, path: Path, confidence: bool, batch: int) -> Path:
        return _copy(exported.files["onnx"], path) if given is net else make_onnx(given, spec, path, confidence, batch)

    def copy_tflite(
        onnx_path: Path, spec: ModelSpec, out_dir: Path, modes: list[str], stem: str, *_: object, **__: object
    ) -> dict[str, Path]:
        return {mode: _copy(exported.files[mode], Path(out_dir, f"{stem}_{mode}.tflite")) for mode in modes}

    litert = [runtime for runtime in list_runtimes() if runtime.name == "litert"]
    monkeypatch.setattr(pipeline, "export_onnx", copy_onnx)
    monkeypatch.setattr(pipeline, "export_tflite", copy_tflite)
    monkeypatch.setattr(pipeline, "list_runtimes", lambda: litert)


def _copy(source: Path, target: Path) -> Path:
    """Copy a model and its sidecar."""
    shutil.copy(sidecar_path(source), sidecar_path(target))
    return Path(shutil.copy(source, target))


@pytest.fixture
def make_tflite(tmp_path: Path):
    """Return a function that writes a TFLite file with one node per (operator, version); Flex ops by their name."""

    def make(*operators: tuple[str, int]) -> Path:
        tensor = Tensor("FLOAT32", (1, 2, 3), "x")
        names = {name: name if name in builtin_operators() else f"CUSTOM:{name}" for name, _ in operators}
        nodes = [Operator(names[name], [tensor], [tensor], version=version) for name, version in operators]
        path = tmp_path / "made.tflite"
        path.write_bytes(write_model(Model([SubGraph([tensor], [tensor], nodes)])))
        return path

    return make
