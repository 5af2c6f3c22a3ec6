"""Interpreters of other versions: on PATH, unless it is a shim of pyenv that only prints an error, and in pyenv."""

import os
import sys
from pathlib import Path

import pytest

from distill.environments.pythons import find_python, python_version


def python(path: Path, script: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return path


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}/bin{os.pathsep}/usr/bin")
    monkeypatch.setenv("PYENV_ROOT", str(tmp_path / "pyenv"))
    return folder


def test_this_one_is_taken_first() -> None:
    assert find_python(["3.99", f"{sys.version_info[0]}.{sys.version_info[1]}"]) == sys.executable


def test_a_shim_that_fails_is_passed_over(path: Path, tmp_path: Path) -> None:
    python(path / "python3.98", "echo 'pyenv: command not found' >&2; exit 127")
    installed = python(tmp_path / "pyenv" / "versions" / "3.98.1" / "bin" / "python", "echo 3.98")
    assert find_python(["3.98"]) == str(installed)


def test_another_version_than_its_name_says_is_passed_over(path: Path) -> None:
    python(path / "python3.97", "echo 3.6")
    assert find_python(["3.97"]) is None


def test_the_version_of_what_does_not_start_is_none(tmp_path: Path) -> None:
    assert python_version(str(tmp_path / "absent")) is None
    assert python_version(sys.executable) == f"{sys.version_info[0]}.{sys.version_info[1]}"
