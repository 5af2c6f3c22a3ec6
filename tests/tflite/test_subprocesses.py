from pathlib import Path

import pytest

from distill.errors import ExportError
from distill.tflite.subprocesses import last_line, run_converter


def test_the_line_that_matters_of_a_log() -> None:
    log = "\x1b[31mERROR:\x1b[0m onnx_op_name: wa/MatMul\nValueError: sizes differ\n  name='wa'\n\n---\n"
    assert last_line(log) == "ValueError: sizes differ"
    assert last_line("") == "no output"


def test_a_failure_names_the_converter_the_reason_and_the_log(tmp_path: Path) -> None:
    with pytest.raises(ExportError, match=r"quantiser failed \(status 1\): ValueError: too wide; full log: ") as caught:
        run_converter("quantiser", ["-c", "raise ValueError('too wide')"], tmp_path, 60)
    log = Path(str(caught.value).rpartition(": ")[2])
    assert "Traceback" in log.read_text()
    log.unlink()


def test_a_converter_that_hangs_is_stopped(tmp_path: Path) -> None:
    with pytest.raises(ExportError, match="onnx2tf took more than 0 s"):
        run_converter("onnx2tf", ["-c", "import time; time.sleep(60)"], tmp_path, 0.2)
