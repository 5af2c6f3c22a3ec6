"""Files are loaded and run in every runtime present; a bad one is reported and never raises."""

import shutil
from pathlib import Path

import pytest

from distill.spec import sidecar_path
from distill.tflite import load_everywhere as module
from distill.tflite.load_everywhere import load_everywhere
from distill.tflite.runtimes import RuntimeFailure, RuntimeServer, list_runtimes

MODEL = Path(__file__).resolve().parents[2] / "checkpoints" / "efld_51_128_int8.tflite"


@pytest.fixture(autouse=True)
def only_litert(monkeypatch: pytest.MonkeyPatch) -> None:
    quick = [runtime for runtime in list_runtimes() if runtime.name == "litert"]
    assert quick
    monkeypatch.setattr(module, "list_runtimes", lambda: quick)


def test_a_runtime_that_fails_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(RuntimeServer, "load", lambda *_: RuntimeFailure("crash", "killed by SIGSEGV"))
    assert set(load_everywhere(MODEL, "2.11.0").values()) == {"crash: killed by SIGSEGV"}


def test_files_of_other_programs_need_no_sidecar(tmp_path: Path) -> None:
    alone = Path(shutil.copy(MODEL, tmp_path / "copy.tflite"))
    assert set(load_everywhere(alone, "2.11.0").values()) == {"runs"}
    alone.write_bytes(b"<html>")
    assert all(outcome.startswith("error") for outcome in load_everywhere(alone, "2.11.0").values())


def test_a_file_that_is_not_the_exported_one_is_not_loaded(tmp_path: Path) -> None:
    """One damaged file in seven runs; only the hash tells."""
    path = Path(shutil.copy(MODEL, tmp_path))
    shutil.copy(sidecar_path(MODEL), tmp_path)
    path.write_bytes(MODEL.read_bytes() + b"x")
    assert all("SHA-256 differs" in outcome for outcome in load_everywhere(path, "2.11.0").values())
