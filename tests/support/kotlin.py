"""Compile Kotlin files with the compiler on PATH and run them on the JVM."""

import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

# Compiler and programs run for seconds: the optimising compiler of the JVM costs more than it gains.
JVM = ("-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC")


def compile_kotlin(sources: Sequence[Path], target: Path) -> None:
    """Compile files or folders to a .jar that runs; the test is skipped without kotlinc and java."""
    compiler = shutil.which("kotlinc")
    if compiler is None or shutil.which("java") is None:
        pytest.skip("kotlinc and java are not on PATH (Debian: apt-get install kotlin default-jre-headless)")
    command = [compiler, *map(str, sources), "-include-runtime", "-d", str(target)]
    environment = os.environ | {"JAVA_OPTS": " ".join(JVM)}
    done = subprocess.run(command, capture_output=True, text=True, timeout=420, check=False, env=environment)
    assert done.returncode == 0, done.stderr
    assert "error:" not in done.stderr


def run_jar(jar: Path, main: str, *arguments: str) -> str:
    """Return what the main function of a class prints."""
    command = ["java", *JVM, "-cp", str(jar), main, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout
