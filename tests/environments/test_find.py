"""Which interpreter runs a converter: the one named, the one in the cache, this one, or none."""

import re
import sys
from importlib import metadata
from pathlib import Path

import pytest

from distill.environments import ENVIRONMENTS, Environment, find_environment
from distill.environments.find import COMPLETE, folder_of
from distill.errors import ConfigError

MODERN = ENVIRONMENTS["modern"]


@pytest.fixture(autouse=True)
def empty_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DISTILL_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv(MODERN.variable, raising=False)


def test_nothing_is_found_in_an_empty_cache() -> None:
    assert find_environment("modern") is None


def test_a_finished_environment_in_the_cache_is_found_and_an_unfinished_one_is_not() -> None:
    """An installation that was killed leaves a folder with an interpreter and half of the packages."""
    python = folder_of(MODERN) / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.touch()
    assert find_environment("modern") is None
    (folder_of(MODERN) / COMPLETE).touch()
    assert find_environment("modern") == str(python)


def test_what_is_named_must_have_the_packages(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConfigError, match=r"--environment .*: (onnx2tf 2\.6\.9|litert-quantizer).* is needed, found"):
        find_environment("modern", sys.executable)
    monkeypatch.setenv(MODERN.variable, "/absent/python")
    with pytest.raises(ConfigError, match=rf"{MODERN.variable} /absent/python: this Python does not start"):
        find_environment("modern")


def test_this_interpreter_serves_if_it_has_the_packages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metadata, "version", lambda name: MODERN.packages[name])
    assert find_environment("modern") == sys.executable


@pytest.mark.parametrize("environment", ENVIRONMENTS.values(), ids=lambda environment: environment.name)
def test_each_lock_pins_the_packages_with_hashes(environment: Environment) -> None:
    entries = [entry for entry in environment.lock.read_text().split("\n") if re.match(r"[a-z0-9-]+==", entry)]
    pins = dict(entry.removesuffix(" \\").split("==") for entry in entries)
    assert environment.packages.items() <= pins.items()
    assert environment.lock.read_text().count("--hash=sha256:") >= len(entries)
