"""The door: help and mistakes cost no heavy import, mistakes are one line, and every YAML that comes along is right."""

import os
import signal
import subprocess
import sys
import time
from argparse import SUPPRESS
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path

import pytest

from distill.cli.data import ACTIONS
from distill.cli.main import COMMANDS, main
from distill.options.parser import options_of, parse
from distill.training.config import StudentConfig

ROOT = Path(__file__).resolve().parents[2]
HEAVY = ("torch", "tensorflow", "pytorch_lightning", "timm", "wandb", "mediapipe", "onnx", "albumentations")
_PROBE = f"""
import sys
from distill.cli.main import main
for argv in {{}}:
    status = main(argv)
    heavy = [name for name in {HEAVY} if name in sys.modules]
    print('@', status, heavy, file=sys.stderr)
"""


def _run(*lines: list[str]) -> list[tuple[str, str]]:
    """Run command lines in one fresh process: (`status heavy-imports`, what it text on stderr) of each."""
    command = [sys.executable, "-c", _PROBE.replace("{}", repr(list(lines)))]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, cwd=ROOT, check=True)
    found, text = [], []
    for line in done.stderr.splitlines():
        if line.startswith("@ "):
            found.append((line[2:], "\n".join(text)))
            text = []
        else:
            text.append(line)
    return found


def test_help_and_mistakes_import_nothing_heavy() -> None:
    for outcome, _ in _run([], ["--help"], ["--version"]):
        assert outcome == "0 []"
    mistakes = [["techer"], ["teacher", "--optim.lrr", "1"], ["student", "--kd.kind", "mean"], ["student"]]
    for outcome, text in _run(*mistakes):
        assert outcome == "2 []"
        assert text.startswith("error: ")
        assert text.count("\n") == 0


def test_main_lists_every_command_and_each_has_a_module(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 0
    shown = capsys.readouterr().out
    for name in COMMANDS:
        assert f"  {name}" in shown
        assert find_spec(f"distill.cli.{name}") is not None


def test_help_and_version_may_be_written_as_commands(capsys: pytest.CaptureFixture[str]) -> None:
    for option, command in (("--help", "help"), ("--version", "version")):
        shown = []
        for word in (option, command):
            assert main([word]) == 0
            shown.append(capsys.readouterr().out)
        assert shown[0] == shown[1]


def test_unknown_commands_suggest_the_nearest(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["evalute"]) == 2
    text = capsys.readouterr().err
    assert "unknown command 'evalute': did you mean 'evaluate'?" in text
    assert text.count("\n") == 1


@pytest.mark.parametrize("command", ["check", "submit", "bench", "export", "evaluate"])
def test_misspelt_names_of_released_models_suggest_the_nearest(
    command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([command, "student_68_12"]) == 2
    assert "of this name: did you mean 'student_68_128'?" in capsys.readouterr().err


HELP = [name for name in COMMANDS if name not in ("data", "demo", "doctor")]
HELP += [*(f"data {name}" for name in ACTIONS), "demo web"]
SCREEN = 52  # lines of a terminal of full height


@pytest.mark.parametrize("command", HELP)
def test_help_fits_two_screens(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main([*command.split(), "--help"])
    assert caught.value.code == 0
    shown = capsys.readouterr().out
    assert shown.startswith(f"usage: distill {command}")
    assert shown.count("\n") <= 2 * SCREEN


def test_a_student_and_its_baseline_differ_in_the_teacher_alone() -> None:
    for folder in ("configs", "configs/demo"):
        argv = ["--config", f"{ROOT}/{folder}/student.yaml"]
        student, baseline = (
            StudentConfig(**parse(options_of("student", "", StudentConfig), [*argv, *extra]))
            for extra in ([], ["--kd.kind", "none"])
        )
        for part in ("data", "model", "loss", "optim", "trainer", "seed"):
            assert getattr(student, part) == getattr(baseline, part), f"{folder}: {part}"
        assert student.kd.kind != "none"
        assert baseline.kd.kind == "none"
        assert baseline.teacher is None


def test_help_lists_every_option() -> None:
    parser = options_of("student", "Train.", StudentConfig)
    shown = parser.format_help()
    names = [
        f"--{action.dest}"
        for action in parser._actions
        if action.help != SUPPRESS and not action.dest.endswith(("help", "print_config"))
    ]
    options = [name for name in names if not any(other.startswith(f"{name}.") for other in names)]
    assert len(options) > 70
    for name in options:
        assert f"  {name} " in shown, name


def test_a_plugin_is_imported_before_any_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    plugin = tmp_path / "my_net.py"
    plugin.write_text("raise ValueError('imported')")
    for words in (["--plugin", str(plugin)], [f"--plugin={plugin}"]):
        assert main(["evaluate", "no.ckpt", *words]) == 2
        assert "cannot be imported (ValueError: imported)" in capsys.readouterr().err
    plugin.write_text("")
    assert main(["evaluate", str(tmp_path / "no.ckpt"), "--plugin", str(plugin)]) == 2
    assert "no.ckpt" in capsys.readouterr().err
    assert main(["evaluate", "no.ckpt", "--plugin"]) == 2
    assert "--plugin needs a file" in capsys.readouterr().err


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGKILL, -9)])
def test_a_stopped_command_leaves_neither_processes_nor_temporary_files(
    number: signal.Signals, status: int, tmp_path: Path
) -> None:
    """Rendering has worker processes, which a signal to the first alone would leave behind."""
    command = [sys.executable, "-m", "distill", "data", "synth", "faces", "--count", "5000", "--size", "64"]
    with subprocess.Popen(
        command, cwd=tmp_path, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True, process_group=0,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    ) as process:  # fmt: skip
        while not list(tmp_path.glob("faces/images/*.jpg")):
            time.sleep(0.02)
        process.send_signal(number)
        _, errors = process.communicate(timeout=120)  # returns when the last process that holds the pipe ends
    assert process.returncode == status
    assert "Traceback" not in errors
    if number != signal.SIGKILL:
        assert errors.splitlines()[-1] == f"stopped by {number.name}"
        assert not list(tmp_path.rglob(".*"))
    assert no_process_of(process.pid)


def test_an_interrupt_that_an_import_turns_into_another_error_is_an_interrupt(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """NumPy's C code reports Ctrl-C while it is imported as an ImportError without a cause."""

    def interrupted_import(argv: list[str]) -> int:
        with suppress(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
        raise ImportError("numpy._core.multiarray failed to import")

    monkeypatch.setattr("distill.cli.main._run", interrupted_import)
    assert main(["predict"]) == 130
    assert capsys.readouterr().err == "stopped by SIGINT\n"
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_an_import_that_fails_without_an_interrupt_keeps_its_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken_import(argv: list[str]) -> int:
        raise ImportError("numpy._core.multiarray failed to import")

    monkeypatch.setattr("distill.cli.main._run", broken_import)
    with pytest.raises(ImportError, match="multiarray"):
        main(["predict"])


def no_process_of(group: int) -> bool:
    """Wait until a group has no process."""
    for _ in range(500):
        try:
            os.killpg(group, 0)
        except ProcessLookupError:
            return True
        time.sleep(0.02)
    return False


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--redetect", "3"], "--redetect has no effect on photos"),
        (["--max_frames", "3"], "--max_frames has no effect on photos"),
        (["--smooth", "false"], "--smooth has no effect on photos"),
        (["--threads", "0"], "--threads 0 must be at least 1"),
    ],
)
def test_predict_refuses_what_has_no_effect(
    options: list[str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    photo = tmp_path / "photo.png"
    photo.write_bytes(b"never read")
    assert main(["predict", str(photo), *options]) == 2
    assert capsys.readouterr().err.startswith(f"error: {message}")


@pytest.mark.parametrize(
    "error",
    [
        MemoryError("Unable to allocate 283. MiB"),
        RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 4096 bytes."),
        RuntimeError("CUDA out of memory. Tried to allocate 20.00 MiB."),
        ImportError("libtorch_cpu.so: failed to map segment from shared object"),
        OSError(12, "Cannot allocate memory"),
    ],
    ids=["Python", "torch", "CUDA", "library", "system"],
)
def test_no_memory_is_one_line(
    error: Exception, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def run(words: list[str]) -> int:
        raise error

    monkeypatch.setattr("distill.cli.models.run", run)
    assert main(["models"]) == 2
    text = capsys.readouterr().err
    assert text.startswith("error: distill models: not enough memory (")
    assert text.count("\n") == 1


def test_other_errors_keep_their_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    def run(words: list[str]) -> int:
        raise RuntimeError("a bug")

    monkeypatch.setattr("distill.cli.models.run", run)
    with pytest.raises(RuntimeError, match="a bug"):
        main(["models"])
