"""Child processes end with their parent, and work that is being saved is waited for."""

import ast
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import distill
from distill.system.processes import ending_with_parent, run_stoppable

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = Path(distill.__file__).parent
# Functions whose children need not end with this process, and why.
OUTLIVING = {"provenance.py": "git describe takes milliseconds"}
linux = pytest.mark.skipif(sys.platform != "linux", reason="the system has no signal at the end of a parent")
# A child that writes its number, and `saved` when it receives a signal, which takes a moment.
CHILD = """
import os, signal, sys, time
def save(number, frame):
    time.sleep(0.3)
    open("saved", "a").write(signal.Signals(number).name)
    sys.exit(128 + number)
for number in (signal.SIGINT, signal.SIGTERM):
    signal.signal(number, save)
open("child.tmp", "w").write(str(os.getpid()))
os.rename("child.tmp", "child")
time.sleep(60)
"""
PARENT = f"""
import subprocess, sys
from distill.system.processes import ending_with_parent, run_stoppable
command = [sys.executable, "-c", {CHILD!r}]
"""


def wait_for(path: Path) -> str:
    end = time.monotonic() + 30
    while not path.exists():
        assert time.monotonic() < end, path
        time.sleep(0.01)
    return path.read_text()


def start(folder: Path, code: str) -> tuple["subprocess.Popen[bytes]", int]:
    """Start a parent in `folder`; return it and the number of its child, which runs."""
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    parent = subprocess.Popen([sys.executable, "-c", PARENT + code], cwd=folder, env=environment)
    return parent, int(wait_for(folder / "child"))


def ended(pid: int) -> bool:
    """Wait for the end of a process that is nobody's child here."""
    end = time.monotonic() + 10
    while time.monotonic() < end:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return True
        if Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].startswith("Z"):
            return True
        time.sleep(0.01)
    return False


@linux
def test_a_child_does_not_outlive_a_killed_parent(tmp_path: Path) -> None:
    parent, child = start(tmp_path, "subprocess.run(ending_with_parent(command))")
    parent.kill()
    parent.wait()
    assert ended(child)
    assert not (tmp_path / "saved").exists()


@linux
def test_a_training_of_a_killed_study_saves(tmp_path: Path) -> None:
    parent, child = start(tmp_path, "run_stoppable(command)")
    parent.kill()
    parent.wait()
    assert ended(child)
    assert wait_for(tmp_path / "saved") == "SIGTERM"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_is_passed_on_and_the_child_waited_for(number: signal.Signals, tmp_path: Path) -> None:
    parent, child = start(tmp_path, "run_stoppable(command); open('went on', 'w')")
    parent.send_signal(number)
    assert parent.wait(30) == 128 + number
    assert (tmp_path / "saved").read_text() == number.name
    assert not (tmp_path / "went on").exists()
    assert ended(child)


def test_the_status_of_the_command_is_returned() -> None:
    assert run_stoppable([sys.executable, "-c", "raise SystemExit(3)"]) == 3


def test_every_child_process_of_the_package_ends_with_its_parent() -> None:
    """One that is started without `ending_with_parent` goes on when the command that started it is killed."""
    free = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        calls = [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call)]
        names = [ast.unparse(call.func) for call in calls]
        started = sum(name in ("subprocess.run", "subprocess.Popen") for name in names)
        bound = names.count("ending_with_parent")
        if started > bound:
            free[str(path.relative_to(PACKAGE))] = f"{started} started, {bound} end with their parent"
    assert free.keys() == OUTLIVING.keys(), free


def test_a_program_that_does_not_exist_is_one_line() -> None:
    done = subprocess.run(ending_with_parent(["no-such-program"]), capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (1, "no-such-program: No such file or directory\n")
