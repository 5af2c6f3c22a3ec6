import shutil
from pathlib import Path

import pytest

from distill.errors import ConfigError, ExportError
from distill.export import architecture
from distill.export.architecture import check_architecture, require_ops
from distill.export.pipeline import ExportResult
from distill.opcheck.check import check_model
from distill.spec import ModelSpec
from distill.tflite import load_everywhere
from distill.tflite.runtimes import list_runtimes


def test_an_untrained_student_is_checked_and_loaded(exported: ExportResult, monkeypatch: pytest.MonkeyPatch) -> None:
    def copy(onnx_path: Path, spec: ModelSpec, out_dir: Path, modes, stem: str) -> dict[str, Path]:
        return {"fp32": Path(shutil.copy(exported.files["fp32"], out_dir))}

    monkeypatch.setattr(architecture, "export_tflite", copy)
    quick = [runtime for runtime in list_runtimes() if runtime.name != "tensorflow"]
    monkeypatch.setattr(load_everywhere, "list_runtimes", lambda: quick)
    report = check_architecture("mobilevit_v2_050", "2.11.0", size=64)
    assert report.passed
    assert report.exit_status == 0
    assert any(name.startswith("tflite-runtime 2.14") for name in report.loads)


def test_a_refused_architecture_says_what_and_where(exported: ExportResult) -> None:
    report = check_model(exported.files["fp32"], "2.2")
    with pytest.raises(ExportError, match=r"does not run on TFLite 2\.2: BATCH_MATMUL v1 needs 2\.3\.0.*Made by "):
        require_ops(report)


def test_an_unknown_model_is_named_before_anything_is_built() -> None:
    with pytest.raises(ConfigError, match="unknown model 'mobilevit_v2_05'"):
        check_architecture("mobilevit_v2_05", "2.11.0")
