"""Dependencies of each part of the package; `make lint` checks the direction of imports."""

import ast
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from distill.cli.main import COMMANDS

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "distill"
HEAVY = ["torch", "torchvision", "timm", "pytorch_lightning", "torchmetrics", "tensorflow", "onnx2tf", "mediapipe"]
LIGHT_MODULES = ["errors", "files", "geometry", "spec", "images", "landmarks"]
LIGHT_MODULES += ["tflite.interpreter", "detection.detector", "inference.landmarker"]
TRAINING_MODULES = ["data.datamodule", "models.heatmaps", "models", "losses.supervised", "metrics", "training.fit"]
# `all` names other extras; the documentation site is built in an environment of its own; tests of optional trackers,
# sweeps and OpenVINO are skipped without their packages.
UNLOCKED_EXTRAS = ("all", "docs", "tensorboard", "mlflow", "trackio", "s3", "s3-tests", "openvino")
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


def test_the_layers_are_stated_once():
    """The list in CONTRIBUTING.md is the import contract, so that the two cannot differ."""
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    (contract,) = (contract for contract in contracts if contract["type"] == "layers")
    block = re.search(r"```layers\n(.*?)```", (ROOT / "CONTRIBUTING.md").read_text(), re.DOTALL)
    assert block is not None, "CONTRIBUTING.md has no fenced block `layers`"
    assert block[1].splitlines() == contract["layers"]
    assert len(contract["layers"]) <= 12


def test_running_a_model_needs_neither_torch_nor_tensorflow():
    done = import_without(LIGHT_MODULES, HEAVY)
    assert done.returncode == 0, done.stderr


def test_training_needs_no_converter_detector_or_tracker():
    done = import_without(TRAINING_MODULES, NOT_FOR_TRAINING)
    assert done.returncode == 0, done.stderr


def test_an_evaluation_needs_torch_alone():
    """torchmetrics took three of the five seconds that `distill evaluate` needs to start."""
    done = import_without(["evaluate.evaluate", "report.page"], [name for name in HEAVY if name != "torch"])
    assert done.returncode == 0, done.stderr


def test_what_an_exported_file_is_needs_no_torch():
    """`distill evaluate` and its detectors: with torch and timm it took five seconds of processor time more."""
    files = [str(ROOT / "checkpoints" / "student_68_128_fp16.tflite"), "retinaface", "student_68_128"]
    done = run_python(
        "import sys, pathlib, distill.cli.evaluate, distill.cli.detectors as d; "
        f"print([d.names_a_detector(pathlib.Path(name)) for name in {files}], sorted(set(sys.modules) & set({HEAVY})))"
    )
    assert done.stdout.strip() == "[False, True, False] []", done.stdout + done.stderr


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
    """For each Python version, with the versions of torch in a file of their own."""
    from packaging.requirements import Requirement
    from packaging.utils import canonicalize_name

    locks = (ROOT / "requirements.lock", ROOT / "scripts" / "torch.lock")
    lines = [line for lock in locks for line in lock.read_text().splitlines() if re.match(r"[A-Za-z0-9]", line)]
    pins = [Requirement(line.removesuffix("\\")) for line in lines]
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = [needs for name, needs in project["optional-dependencies"].items() if name not in UNLOCKED_EXTRAS]
    needs = [Requirement(need) for need in [*project["dependencies"], *(need for needs in extras for need in needs)]]
    for python in ("3.11", "3.12", "3.13"):
        system = {"python_version": python, "python_full_version": f"{python}.0", "sys_platform": "linux", "extra": ""}
        locked = {
            canonicalize_name(pin.name): str(pin.specifier).removeprefix("==")
            for pin in pins
            if pin.marker is None or pin.marker.evaluate(system)
        }
        for need in needs:
            if need.marker is None or need.marker.evaluate(system):
                version = locked.get(canonicalize_name(need.name), "not locked")
                assert version != "not locked", (python, str(need))
                assert need.specifier.contains(version), (python, str(need), version)
        # A local version would refuse the other build of torch.
        assert not any("+" in version for version in locked.values())


def test_every_entry_of_the_lock_has_a_hash():
    from scripts.generate.lock import entries

    found = entries((ROOT / "requirements.lock").read_text())
    assert len(found) > 100
    assert not [name for name, many in found.items() for entry in many if "--hash=sha256:" not in entry]
    assert not [name for name in found if name.startswith(("torch", "nvidia-", "triton")) and name != "torchmetrics"]


def test_no_import_circles():
    """Functions count too: an import moved into a function hides a circle and does not remove it."""
    from tests.support.import_graph import circles

    assert circles(ROOT / "distill") == []


def functions_of(path: Path) -> list[tuple[str, int]]:
    """Return (name, lines) of every function in a file."""
    functions = [
        node
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    ]
    return [(f"{path.stem}.{node.name}", (node.end_lineno or 0) - node.lineno + 1) for node in functions]


def test_functions_are_short() -> None:
    """No function has more than 60 lines, and 95 of 100 have fewer than 30."""
    lengths = [entry for path in PACKAGE.rglob("*.py") for entry in functions_of(path)]
    assert [entry for entry in lengths if entry[1] > 60] == []
    assert sum(lines < 30 for _, lines in lengths) >= 0.95 * len(lengths)


def test_few_files_stand_at_the_top_of_the_package() -> None:
    names = [path.name for path in PACKAGE.glob("*.py") if not path.name.startswith("__")]
    assert len(names) <= 8, names


def test_command_modules_are_thin() -> None:
    """Of the commands and of the actions of `distill data`; what they share is no command."""
    commands = [PACKAGE / "cli" / f"{name}.py" for name in COMMANDS if name != "data"]
    lengths = {path.stem: len(path.read_text().splitlines()) for path in [*commands, *PACKAGE.glob("cli/data/*.py")]}
    assert {name for name, lines in lengths.items() if lines > 120} == set()
    assert len((PACKAGE / "training" / "fit.py").read_text().splitlines()) <= 150
