"""The modern lane without its converter: what it requires, and what happens without it."""

import sys
from pathlib import Path

import numpy as np
import pytest

from distill.errors import ConfigError
from distill.export.lanes import Job, convert
from distill.export.lanes.modern_worker import quantizer_of
from distill.export.pipeline import ExportResult
from distill.export.quantization_modes import MODES
from tests.support.environments import require_lane


def test_without_its_environment_the_remedy_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DISTILL_CACHE", str(tmp_path))
    monkeypatch.delenv("DISTILL_MODERN_PYTHON", raising=False)
    with pytest.raises(ConfigError, match=r"onnx2tf 2\.6\.9 and litert-quantizer 0\.11\.0 are not installed"):
        convert(Job(tmp_path / "net.onnx", tmp_path, ("fp32",)))
    with pytest.raises(ConfigError, match=f"--environment {sys.executable}"):
        convert(Job(tmp_path / "net.onnx", tmp_path, ("fp32",), environment=Path(sys.executable)))


def test_every_mode_runs_in_every_runtime(exported: ExportResult) -> None:
    """Files as litert-quantizer writes them are refused by tflite-runtime 2.11 and give NaN in 2.14 (`dynamic`)."""
    require_lane("modern")
    assert {result.name.partition(" on ")[0] for result in exported.parity.results} == {"onnx", *MODES}
    assert all(np.isfinite(result.mean_px) for result in exported.parity.results)


def test_the_worker_runs_without_this_package() -> None:
    source = Path(sys.modules[quantizer_of.__module__].__file__ or "").read_text()
    assert "import distill" not in source
    assert "from distill" not in source
