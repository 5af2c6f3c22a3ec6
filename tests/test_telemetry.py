"""No command reaches the network unasked, and no library is imported before its telemetry is switched off."""

import subprocess
import sys
from pathlib import Path

import pytest

from distill.telemetry import SWITCHES, switch_off
from tests.support.connect_trap import run_trapped
from tests.support.environments import require_lane

ROOT = Path(__file__).resolve().parents[1]
DATA = ["--data.format", "manifest", "--data.root", "faces"]
TINY = ["--trainer.epochs", "1", "--trainer.validate_every", "1", "--data.batch_size", "4", "--data.workers", "0"]
MODEL = str(ROOT / "checkpoints" / "student_128_turned_fp16.tflite")
QUICK = [
    ["data", "synth", "faces", "--count", "12", "--size", "96", "--workers", "0"],
    ["data", "check", "faces"],
    [
        *("student", "--config", str(ROOT / "configs/base/demo.yaml"), "--kd.kind", "none", "--name", "student"),
        *("--model.arch", "efld", "--data.root", "faces", "--runs", "runs", *TINY),
    ],
    ["evaluate", MODEL, *DATA, "--json", "evaluation.json"],
    ["report", "evaluation.json"],
    ["dashboard", "runs"],
    ["sync", "runs", "--dry_run"],
    ["predict", "faces/images/000000.jpg", "--model", MODEL],
    ["check", MODEL],
]
EXPORT = [
    ["export", "runs/student/best.ckpt", "--faces", "2", *DATA],
    ["evaluate", "runs/student/export/student.onnx", *DATA],
    ["bench", "runs/student/export/student.onnx", "--rounds", "5", "--peers", "[]", "--stages", "false"],
]


def run_commands(commands: list[list[str]], folder: Path, timeout_s: float) -> list[str]:
    """Run commands one after the other in one trapped process; and return the attempts; a check may find faults."""
    code = f"from distill.cli.main import main\nfor argv in {commands!r}: assert main(argv) in (0, 1), argv"
    done, attempts = run_trapped(code, folder, timeout_s)
    assert done.returncode == 0, done.stderr[-2000:]
    return attempts


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_no_command_leaves_the_machine(tmp_path: Path) -> None:
    try:
        require_lane("modern")
    except pytest.skip.Exception:
        assert run_commands(QUICK, tmp_path, 300) == []
        raise
    assert run_commands([*QUICK, *EXPORT], tmp_path, 800) == []


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("import socket; socket.create_connection(('example.org', 80))", "connection to example.org"),
        ("import socket; socket.socket().connect(('192.0.2.1', 80))", "connection to 192.0.2.1"),
        ("import subprocess, sys; subprocess.run([sys.executable, '-c', 'import onnxruntime'])", "telemetry on"),
        ("import onnxruntime, distill", "telemetry on"),
    ],
)
def test_the_trap_reports(code: str, expected: str, tmp_path: Path) -> None:
    _, attempts = run_trapped(code, tmp_path, 60)
    assert any(expected in attempt for attempt in attempts)


def test_the_import_of_the_package_switches_telemetry_off() -> None:
    code = f"import os, distill; print(all(os.environ.get(name) == value for name, value in {SWITCHES!r}.items()))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env={}, cwd=ROOT, check=True)
    assert done.stdout.strip() == "True"


def test_a_value_of_the_user_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DO_NOT_TRACK", "0")
    switch_off()
    import os

    assert os.environ["DO_NOT_TRACK"] == "0"
