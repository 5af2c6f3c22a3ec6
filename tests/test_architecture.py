"""Dependencies of each part of the package; `make lint` checks the direction of imports."""

import importlib.util
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
HEAVY = ["torch", "torchvision", "timm", "pytorch_lightning", "torchmetrics", "tensorflow", "onnx2tf", "mediapipe"]
LIGHT_MODULES = ["errors", "files", "geometry", "spec", "images", "landmarks"]
LIGHT_MODULES += ["tflite.interpreter", "detection.detector", "inference.landmarker"]
TRAINING_MODULES = ["data.datamodule", "models.heatmaps", "models", "losses.supervised", "metrics", "training.fit"]
NOT_FOR_TRAINING = ["tensorflow", "onnx2tf", "mediapipe", "wandb", "onnx", "ai_edge_litert", "tflite_runtime"]


def run_python(code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, timeout=120)


def import_without(modules: list[str], missing: list[str]) -> subprocess.CompletedProcess[str]:
    """Import `modules` of the package where importing any of `missing` fails as if it were not installed."""
    # A None in sys.modules makes Python raise ModuleNotFoundError for that name.
    return run_python(
        f"import sys, importlib\nsys.modules.update(dict.fromkeys({missing}))\n"
        f"for name in {modules}: importlib.import_module('distill.' + name)"
    )


def existing(modules: list[str]) -> list[str]:
    return [name for name in modules if importlib.util.find_spec(f"distill.{name}")]


def test_the_layers_are_stated_once():
    """The list in CONTRIBUTING.md is the import contract, so that the two cannot differ."""
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    (contract,) = (contract for contract in contracts if contract["type"] == "layers")
    block = re.search(r"```layers\n(.*?)```", (ROOT / "CONTRIBUTING.md").read_text(), re.DOTALL)
    assert block is not None, "CONTRIBUTING.md has no fenced block `layers`"
    assert block[1].splitlines() == contract["layers"]
    assert len(contract["layers"]) <= 12


def test_running_a_model_needs_neither_torch_nor_tensorflow():
    done = import_without(existing(LIGHT_MODULES), HEAVY)
    assert done.returncode == 0, done.stderr


def test_training_needs_no_converter_detector_or_tracker():
    done = import_without(existing(TRAINING_MODULES), NOT_FOR_TRAINING)
    assert done.returncode == 0, done.stderr


@pytest.mark.skipif(not importlib.util.find_spec("distill.cli.main"), reason="no command line yet")
def test_the_command_line_starts_light():
    done = run_python(
        f"import sys, distill.cli.main; print(sorted(set(sys.modules) & set({[*HEAVY, 'numpy', 'cv2', 'wandb']})))"
    )
    assert done.stdout.strip() == "[]", done.stdout + done.stderr


@pytest.mark.tries_network
def test_the_suite_has_no_network(no_network):
    import socket
    import urllib.request

    with pytest.raises(OSError, match="tests have no network"):
        urllib.request.urlopen("http://example.org", timeout=1)
    with socket.socket() as door, pytest.raises(OSError, match="tests have no network"):
        door.connect(("192.0.2.1", 80))
    assert no_network == ["example.org", "192.0.2.1"]


def test_every_dependency_says_why_it_is_there():
    lines = (ROOT / "pyproject.toml").read_text().splitlines()
    project = lines[lines.index("dependencies = [") : lines.index("[project.scripts]")]
    silent = [
        line.strip() for line in project if line.startswith('    "') and "  # " not in line and '", #' not in line
    ]
    assert silent == []


def test_the_lock_satisfies_what_is_declared():
    from packaging.requirements import Requirement
    from packaging.utils import canonicalize_name

    pins = [line.split("==") for line in (ROOT / "requirements.lock").read_text().splitlines() if "==" in line]
    locked = {canonicalize_name(name): version for name, version in pins}
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = [needs for name, needs in project["optional-dependencies"].items() if name != "all"]
    for need in map(Requirement, [*project["dependencies"], *(need for needs in extras for need in needs)]):
        version = locked.get(canonicalize_name(need.name), "not locked")
        assert version != "not locked", need
        assert need.specifier.contains(version), (str(need), version)
    # A local version would refuse the other build of torch.
    assert not any("+" in version for version in locked.values())


def test_no_import_circles():
    """Functions count too: an import moved into a function hides a circle and does not remove it."""
    from tests.support.import_graph import circles

    assert circles(ROOT / "distill") == []
