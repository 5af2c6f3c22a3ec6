"""Try the packages that fail on some machines, each in a child process: a crash there is one line here."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from distill.doctor.check import Check
from distill.system.processes import ending_with_parent

PROBE_SECONDS = 120

_PROBE_TORCH = """
import json, sys, torch
state = "imports"
try:
    import torchvision
except Exception as error:
    state = f"broken: {error}"
devices = [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]
print(json.dumps({
    "torchvision": state, "cuda": torch.version.cuda, "devices": devices, "threads": torch.get_num_threads(),
    "mps": torch.backends.mps.is_available(),
}))
"""
_PROBE_IMPORT = "import {module}, json; print(json.dumps({{}}))"


def probe(code: str) -> tuple[dict[str, Any] | None, str]:
    """Run Python code in a child process; return the JSON of its last line, or None and its last error line."""
    quiet = {"TF_CPP_MIN_LOG_LEVEL": "3", "NO_ALBUMENTATIONS_UPDATE": "1"}
    try:
        child = subprocess.run(
            ending_with_parent([sys.executable, "-c", code]),
            capture_output=True,
            text=True,
            timeout=PROBE_SECONDS,
            env={**os.environ, **quiet},
        )
    except subprocess.TimeoutExpired:
        return None, f"no answer within {PROBE_SECONDS} s"
    if child.returncode == 0:
        return json.loads(child.stdout.strip().splitlines()[-1]), ""
    message = child.stderr.strip().splitlines() or [f"exit status {child.returncode}"]
    return None, f"killed by signal {-child.returncode}" if child.returncode < 0 else message[-1]


# Packages whose compiled parts fail on some machines, with what usually helps.
_IMPORTS = {
    "opencv-python-headless": ("cv2", "pip install --force-reinstall --no-deps opencv-python-headless"),
    "tensorflow": ("tensorflow", "export needs a processor with AVX and the locked version: make setup"),
    "ai-edge-litert": ("ai_edge_litert.interpreter", "pip install --force-reinstall --no-deps ai-edge-litert"),
    "tflite-runtime": ("tflite_runtime.interpreter", "pip install 'numpy<2' tflite-runtime==2.14.0"),
}  # fmt: skip


def import_checks(versions: Mapping[str, str]) -> list[Check]:
    """Import each package with compiled parts in a child; a failure is a line."""

    def attempt(package: str) -> Check | None:
        module, step = _IMPORTS[package]
        result, message = probe(_PROBE_IMPORT.format(module=module))
        return None if result is not None else Check("FAIL", package, f"does not import: {message}", step)

    with ThreadPoolExecutor() as pool:
        checks = pool.map(attempt, [package for package in _IMPORTS if package in versions])
        return [check for check in checks if check]


def probe_torch(versions: Mapping[str, str]) -> list[Check]:
    """Import torch and torchvision in a child and judge the result."""
    if "torch" not in versions:
        return []
    return torch_checks(versions["torch"], *probe(_PROBE_TORCH), has_nvidia=shutil.which("nvidia-smi") is not None)


def torch_checks(version: str, state: dict[str, Any] | None, message: str, *, has_nvidia: bool) -> list[Check]:
    """Judge the child's report on torch and torchvision."""
    if state is None:
        return [Check("FAIL", "torch", f"{version} does not import: {message}", "rm -rf .venv && make setup")]
    if state["devices"]:
        device = Check("OK", "torch", f"{version} on cuda ({', '.join(state['devices'])})")
    elif state["mps"]:
        device = Check("OK", "torch", f"{version} on mps")
    elif state["cuda"] and has_nvidia:
        found = f"{version} is built for CUDA {state['cuda']} but finds no GPU"
        device = Check("WARN", "torch", found, "update the driver, or choose an older CUDA: make setup TORCH_INDEX=…")
    elif has_nvidia:
        step = "to use it: make setup TORCH_INDEX=https://download.pytorch.org/whl/cu126"
        device = Check("WARN", "torch", f"{version} on cpu, though an NVIDIA GPU is here", step)
    else:
        device = Check("OK", "torch", f"{version} on cpu, {state['threads']} threads")
    return [device, _torchvision_check(state["torchvision"])]


def _torchvision_check(state: str) -> Check:
    if state == "imports":
        return Check("OK", "torchvision", "fits torch")
    step = "install it together with torch, from one index: rm -rf .venv && make setup"
    return Check("FAIL", "torchvision", state, step)
