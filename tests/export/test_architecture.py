import shutil
from pathlib import Path

import pytest

from distill.errors import ConfigError, ExportError
from distill.export import architecture
from distill.export.architecture import check_architecture, load_everywhere, require_ops
from distill.export.pipeline import ExportResult
from distill.opcheck.check import check_model
from distill.spec import ModelSpec, sidecar_path
from distill.tflite.runtimes import RuntimeFailure, RuntimeServer, list_runtimes


def test_an_untrained_student_is_checked_and_loaded(exported: ExportResult, monkeypatch: pytest.MonkeyPatch) -> None:
    def copy(onnx_path: Path, spec: ModelSpec, out_dir: Path, modes, stem: str) -> dict[str, Path]:
        return {"fp32": Path(shutil.copy(exported.files["fp32"], out_dir))}

    monkeypatch.setattr(architecture, "export_tflite", copy)
    quick = [runtime for runtime in list_runtimes() if runtime.name != "tensorflow"]
    monkeypatch.setattr(architecture, "list_runtimes", lambda: quick)
    report = check_architecture("mobilevit_v2_050", "2.11.0", size=64)
    assert report.passed
    assert report.exit_status == 0
    assert any(name.startswith("tflite-runtime 2.14") for name in report.loads)


def test_a_runtime_that_fails_is_reported(exported: ExportResult, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(RuntimeServer, "load", lambda *_: RuntimeFailure("crash", "killed by SIGSEGV"))
    outcomes = load_everywhere(exported.files["fp32"], "2.11.0")
    assert outcomes
    assert set(outcomes.values()) == {"crash: killed by SIGSEGV"}


def test_files_of_other_programs_need_no_sidecar(
    exported: ExportResult, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    quick = [runtime for runtime in list_runtimes() if runtime.name == "litert"]
    monkeypatch.setattr(architecture, "list_runtimes", lambda: quick)
    alone = Path(shutil.copy(exported.files["fp32"], tmp_path / "copy.tflite"))
    assert set(load_everywhere(alone, "2.11.0").values()) == {"runs"}
    alone.write_bytes(b"<html>")
    assert all(outcome.startswith("error") for outcome in load_everywhere(alone, "2.11.0").values())


def test_a_file_that_is_not_the_exported_one_is_not_loaded(
    exported: ExportResult, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One damaged file in seven runs; only the hash tells."""
    quick = [runtime for runtime in list_runtimes() if runtime.name == "litert"]
    monkeypatch.setattr(architecture, "list_runtimes", lambda: quick)
    source = exported.files["fp32"]
    path = Path(shutil.copy(source, tmp_path))
    shutil.copy(sidecar_path(source), tmp_path)
    path.write_bytes(source.read_bytes() + b"x")
    assert all("SHA-256 differs" in outcome for outcome in load_everywhere(path, "2.11.0").values())


def test_a_refused_architecture_says_what_and_where(exported: ExportResult) -> None:
    report = check_model(exported.files["fp32"], "2.2")
    with pytest.raises(ExportError, match=r"does not run on TFLite 2\.2: BATCH_MATMUL v1 needs 2\.3\.0.*Made by "):
        require_ops(report)


def test_an_unknown_model_is_named_before_anything_is_built() -> None:
    with pytest.raises(ConfigError, match="unknown model 'mobilevit_v2_05'"):
        check_architecture("mobilevit_v2_05", "2.11.0")
