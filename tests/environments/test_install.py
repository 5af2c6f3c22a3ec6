"""An environment is complete or absent, one process makes it, and a failure is one line with the remedy."""

import stat
import sys
import threading
from pathlib import Path

import pytest

from distill.environments import ENVIRONMENTS, ensure_environment, install
from distill.environments.find import COMPLETE, folder_of
from distill.environments.install import OFFLINE, commands
from distill.errors import ConfigError

MODERN = ENVIRONMENTS["modern"]


@pytest.fixture(autouse=True)
def empty_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DISTILL_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv(MODERN.variable, raising=False)
    monkeypatch.delenv(OFFLINE)
    monkeypatch.setattr(install, "find_python", lambda versions: sys.executable)


def pretend(monkeypatch: pytest.MonkeyPatch, *scripts: str) -> None:
    """Run these programs instead of those that make an environment; $1 is its folder."""

    def replaced(environment: object, base: str, folder: Path) -> list[list[str]]:
        return [["sh", "-c", script, "sh", str(folder)] for script in scripts]

    monkeypatch.setattr(install, "commands", replaced)


MAKE = 'mkdir -p "$1/bin" && touch "$1/bin/python"'


def test_offline_is_one_line_with_the_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(OFFLINE, "1")
    with pytest.raises(ConfigError, match=f"not installed, and {OFFLINE} is set; .*{MODERN.variable}"):
        ensure_environment("modern")


def test_without_a_fitting_python_the_command_that_installs_one_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(install, "find_python", lambda versions: None)
    with pytest.raises(ConfigError, match=r"need Python 3\.12 or 3\.13, .*`uv python install 3\.12`"):
        ensure_environment("modern")


def test_it_is_announced_with_its_size_and_made_once(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pretend(monkeypatch, MAKE)
    python = ensure_environment("modern")
    assert python == str(folder_of(MODERN) / "bin" / "python")
    announced = capsys.readouterr().err
    assert announced.startswith(f"installing {MODERN.what} in ")
    assert f"{MODERN.megabytes} MB" in announced
    pretend(monkeypatch, "exit 1")
    assert ensure_environment("modern") == python


def test_a_failure_leaves_nothing_and_names_the_cause(monkeypatch: pytest.MonkeyPatch) -> None:
    pretend(monkeypatch, MAKE, "echo 'ERROR: No route to host' >&2; exit 1")
    with pytest.raises(ConfigError, match=r"cannot install onnx2tf.*No route to host.*python -m distill\.environments"):
        ensure_environment("modern")
    assert not folder_of(MODERN).exists()


def test_the_rest_of_a_killed_installation_is_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    rest = folder_of(MODERN) / "lib" / "half"
    rest.mkdir(parents=True)
    pretend(monkeypatch, MAKE)
    ensure_environment("modern")
    assert not rest.exists()
    assert (folder_of(MODERN) / COMPLETE).is_file()


def test_one_installs_and_the_other_waits(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A record lock is the process's, so that the other owner is another process."""
    import subprocess

    folder = folder_of(MODERN)
    owner = folder.with_name(f"{folder.name}.owner")
    code = (
        "import sys; from pathlib import Path; from distill.system.locks import folder_lock\n"
        f"with folder_lock(Path({str(owner)!r}), 'installs'):\n    print('held', flush=True); sys.stdin.read()"
    )
    pretend(monkeypatch, f"touch {tmp_path / 'twice'}")
    monkeypatch.setattr(install, "_POLL_SECONDS", 0.01)
    child = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert child.stdin is not None
    assert child.stdout is not None
    assert child.stdout.readline() == b"held\n"
    found: list[str] = []
    waiting = threading.Thread(target=lambda: found.append(ensure_environment("modern")))
    waiting.start()
    (folder / "bin").mkdir(parents=True)
    (folder / "bin" / "python").touch()
    (folder / COMPLETE).touch()
    waiting.join(30)
    child.stdin.close()
    child.wait(30)
    assert found == [str(folder / "bin" / "python")]
    assert not (tmp_path / "twice").exists()


def test_pip_is_used_without_uv_and_both_check_hashes(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    plain = commands(MODERN, "python3.12", tmp_path / "env")
    assert plain[0][:3] == ["python3.12", "-m", "venv"]
    uv = tmp_path / "uv"
    uv.touch()
    uv.chmod(uv.stat().st_mode | stat.S_IXUSR)
    quick = commands(MODERN, "python3.12", tmp_path / "env")
    assert "--compile-bytecode" in quick[1], "pip does it by itself"
    for command in (plain[1], quick[1]):
        assert {"--require-hashes", "--no-deps", str(MODERN.lock)} <= set(command)
