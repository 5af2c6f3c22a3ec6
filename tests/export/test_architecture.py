import shutil
from pathlib import Path

import pytest

from distill.errors import CheckpointError, ConfigError
from distill.export import architecture
from distill.export.architecture import check_architecture, load_everywhere
from distill.export.pipeline import ExportResult
from distill.export.runtimes import RuntimeFailure, list_runtimes
from distill.spec import ModelSpec


def test_an_untrained_student_is_checked_and_loaded(exported: ExportResult, monkeypatch: pytest.MonkeyPatch) -> None:
    def copy(onnx_path: Path, spec: ModelSpec, out_dir: Path, kinds, stem: str) -> dict[str, Path]:
        return {"fp32": Path(shutil.copy(exported.files["fp32"], out_dir))}

    monkeypatch.setattr(architecture, "export_tflite", copy)
    quick = [runtime for runtime in list_runtimes() if runtime.name != "tensorflow"]
    monkeypatch.setattr(architecture, "list_runtimes", lambda: quick)
    report = check_architecture("mobilevit_v2_050", "2.11.0", size=64)
    assert report.passed
    assert report.exit_status == 0
    assert any(name.startswith("tflite-runtime 2.14") for name in report.loads)


def test_a_runtime_that_fails_is_reported(exported: ExportResult, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(architecture, "run_in_child", lambda *_: RuntimeFailure("crash", "killed by SIGSEGV"))
    outcomes = load_everywhere(exported.files["fp32"], "2.11.0")
    assert set(outcomes.values()) == {"crash: killed by SIGSEGV"}


def test_files_of_other_programs_need_no_sidecar(exported: ExportResult, tmp_path: Path) -> None:
    alone = Path(shutil.copy(exported.files["fp32"], tmp_path / "theirs.tflite"))
    assert "runs" in load_everywhere(alone, "2.11.0").values()
    alone.write_bytes(b"<html>")
    with pytest.raises(CheckpointError, match="theirs"):
        load_everywhere(alone, "2.11.0")


def test_an_unknown_model_is_named_before_anything_is_built() -> None:
    with pytest.raises(ConfigError, match="unknown model 'mobilevit_v2_05'"):
        check_architecture("mobilevit_v2_05", "2.11.0")
