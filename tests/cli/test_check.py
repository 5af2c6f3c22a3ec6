import json
from pathlib import Path

import pytest

from distill.cli.check import run
from distill.errors import CheckpointError, ConfigError
from distill.tflite import load_everywhere
from distill.tflite.builder import integers, redeclared, single_op_model, variable
from distill.tflite.model import Operator
from distill.tflite.runtimes import RuntimeFailure, RuntimeServer, list_runtimes
from tests.support.mutants import mutant


@pytest.fixture(autouse=True)
def only_litert(monkeypatch: pytest.MonkeyPatch) -> None:
    quick = [runtime for runtime in list_runtimes() if runtime.name == "litert"]
    monkeypatch.setattr(load_everywhere, "list_runtimes", lambda: quick)


@pytest.fixture
def unfold(tmp_path: Path) -> Path:
    axes = (1, 2, 2, 2, 2, 2)
    node = Operator("TRANSPOSE", (variable("FLOAT32", axes), integers(0, 2, 4, 1, 3, 5)), (variable("FLOAT32", axes),))
    path = tmp_path / "unfold.tflite"
    path.write_bytes(redeclared(single_op_model(node), "TRANSPOSE", 1, 6))
    return path


def test_the_exit_status_and_the_report_say_the_same(
    unfold: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "report.json"
    assert run([str(unfold), "--matrix", "--json", str(out)]) == 1
    text = " ".join(capsys.readouterr().out.split())
    for words in ("TRANSPOSE v6 needs 2.12.0", "Why: a permute of 6 axes", "Change: reshape", "does NOT run", "LR"):
        assert words in text
    report = json.loads(out.read_text())
    assert (report["passed"], report["runs"]) == (False, False)
    assert report["matrix"]["2.11"] is False
    assert report["matrix"]["2.12"] is report["matrix"]["litert"] is True
    assert list(report["loads"].values()) == ["runs"], "LiteRT takes what 2.11 does not"


@pytest.mark.parametrize("runtime", ["2.12", "2.14.0", "litert", "litert-2.3.0"])
def test_a_newer_runtime_takes_it(unfold: Path, runtime: str) -> None:
    assert run([str(unfold), "--runtime", runtime]) == 0


def test_what_does_not_run_for_real_fails_whatever_the_table_says(
    unfold: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(RuntimeServer, "load", lambda *_: RuntimeFailure("crash", "SIGSEGV"))
    assert run([str(unfold), "--runtime", "2.12"]) == 1


def test_a_file_has_its_own_size_and_scheme(unfold: Path) -> None:
    with pytest.raises(ConfigError, match=r"--scheme, --size: for an architecture .*unfold\.tflite is a file"):
        run([str(unfold), "--size", "96", "--scheme", "ibug68"])


def test_an_architecture_has_no_hash_and_no_onnx_file(tmp_path: Path) -> None:
    """Both were accepted and not compared with anything."""
    with pytest.raises(ConfigError, match=r"--sha256: for a file only; pfld_100 is an architecture"):
        run(["--model", "pfld_100", "--sha256", "00"])
    with pytest.raises(ConfigError, match=r"--onnx: for a file only"):
        run(["--model", "pfld_100", "--onnx", str(tmp_path / "a.onnx")])


def test_released_models_are_checked_by_name(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["efld_51_128", "--runtime", "litert"]) == 0
    assert "efld_51_128" in capsys.readouterr().out
    with pytest.raises(CheckpointError, match="did you mean 'efld_51_128'"):
        run(["efld_51"])


def test_damaged_files_and_wrong_hashes_never_pass(unfold: Path) -> None:
    """The command line prints these errors as one line and exits with 2."""
    with pytest.raises(CheckpointError, match="SHA-256 differs from the one given"):
        run([str(unfold), "--sha256", "0" * 64])
    unfold.write_bytes(mutant(unfold.read_bytes(), 7)[1])
    with pytest.raises(CheckpointError, match="not a TFLite file"):
        run([str(unfold)])
    with pytest.raises(CheckpointError, match="no such file"):
        run([str(unfold.with_name("absent.tflite"))])
    with pytest.raises(ConfigError, match="not a TensorFlow Lite release"):
        run([str(unfold), "--runtime", "latest"])


def test_only_what_was_loaded_in_the_release_runs_on_it(unfold: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """LiteRT alone shows nothing about 2.12: the command said `runs on TFLite 2.12` all the same."""
    assert run([str(unfold), "--runtime", "2.12"]) == 0
    assert "expected to run on 2.12; not loaded in that release here" in " ".join(capsys.readouterr().out.split())
    assert run([str(unfold), "--runtime", "litert"]) == 0
    assert "runs on TFLite litert" in capsys.readouterr().out
