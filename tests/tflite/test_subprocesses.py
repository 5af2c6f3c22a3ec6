import sys
from pathlib import Path

import pytest

from distill.errors import ExportError
from distill.tflite import subprocesses
from distill.tflite.subprocesses import converter_server, last_line, run_converter


def test_the_line_that_matters_of_a_log() -> None:
    log = "\x1b[31mERROR:\x1b[0m onnx_op_name: wa/MatMul\nValueError: sizes differ\n  name='wa'\n\n---\n"
    assert last_line(log) == "ValueError: sizes differ"
    assert last_line("") == "no output"


def test_a_failure_names_the_converter_the_reason_and_the_log(tmp_path: Path) -> None:
    with pytest.raises(ExportError, match=r"quantizer failed \(status 1\): ValueError: too wide; full log: ") as caught:
        run_converter("quantizer", ["-c", "raise ValueError('too wide')"], tmp_path, 60)
    log = Path(str(caught.value).rpartition(": ")[2])
    assert "Traceback" in log.read_text()
    log.unlink()


def test_a_converter_that_hangs_is_stopped(tmp_path: Path) -> None:
    with pytest.raises(ExportError, match="onnx2tf took more than 0 s"):
        run_converter("onnx2tf", ["-c", "import time; time.sleep(60)"], tmp_path, 0.2)


JOBS = """
import json, sys, time
for line in sys.stdin:
    job = json.loads(line)
    time.sleep(job["seconds"])
    print(10 / job["width"], file=open(job["file"], "w"))
    print("done", flush=True)
"""


def test_a_server_takes_jobs_until_one_fails(tmp_path: Path) -> None:
    """One process for all: a second start of TensorFlow takes longer than most jobs."""
    with converter_server(["-c", JOBS], tmp_path, 60, sys.executable) as run:
        for width in (2, 5):
            run("quantizer", {"seconds": 0, "width": width, "file": f"{width}.txt"})
            assert float((tmp_path / f"{width}.txt").read_text()) == 10 / width
        with pytest.raises(
            ExportError, match=r"quantizer failed \(status 1\): ZeroDivisionError.*; full log: "
        ) as caught:
            run("quantizer", {"seconds": 0, "width": 0, "file": "0.txt"})
    log = Path(str(caught.value).rpartition(": ")[2])
    assert "Traceback" in log.read_text()
    log.unlink()


def test_a_server_that_hangs_is_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subprocesses, "_GRACE_S", 0.1)
    with (
        pytest.raises(ExportError, match="quantizer took more than 0 s"),
        converter_server(["-c", JOBS], tmp_path, 0.2, sys.executable) as run,
    ):
        run("quantizer", {"seconds": 60, "width": 1, "file": "1.txt"})
