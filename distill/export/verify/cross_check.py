"""Cross-check of an export with a second converter, litert-torch, on the same network.

litert-torch goes from PyTorch to TFLite without ONNX, so it shares no code with the shipped pipeline. It needs an
environment of its own (it needs numpy 2 and JAX, 2 GB): DISTILL_LITERT_TORCH_PYTHON names its Python.
"""

import importlib.util
import os
import subprocess
import sys
import tempfile
import warnings
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from distill.errors import ConfigError, ExportError
from distill.export.rewrites.rewrite import export_form
from distill.export.to_onnx import LandmarksOnly, export_onnx
from distill.export.to_tflite import export_tflite
from distill.export.verify.tolerances import GATES, Gate
from distill.opcheck.check import check_model
from distill.spec import ModelSpec
from distill.system.processes import ending_with_parent
from distill.tflite.runtimes import Runtime, RuntimeFailure, list_runtimes, run_in_child

if TYPE_CHECKING:
    from rich.table import Table

# A Python in which litert-torch is installed, with the torch release used here.
LITERT_TORCH_PYTHON = "DISTILL_LITERT_TORCH_PYTHON"
TORCH, ONNX2TF, LITERT_TORCH = "PyTorch", "ours", "litert-torch"

_WORKER = Path(__file__).with_name("litert_torch_worker.py")
_SECONDS = 900


@dataclass(frozen=True)
class ConvertedFile:
    """One converter's TFLite file: size in bytes, number of nodes, and the oldest TFLite release that runs it."""

    bytes: int
    nodes: int
    min_runtime: str | None


@dataclass(frozen=True)
class Distance:
    """Distance between two sets of landmarks, in pixels of the crop."""

    max_px: float
    mean_px: float

    def within(self, gate: Gate) -> bool:
        """Whether the distance is inside a gate; NaN never is."""
        return self.max_px <= gate.max_px and self.mean_px <= gate.mean_px


@dataclass(frozen=True)
class CrossCheck:
    """Comparison of the files of two converters.

    Attributes:
        converter: name and version of the second converter.
        runtime: that ran both files.
        crops, size: how many crops they were compared on, and their side in pixels.
        files: by converter, `ours` and `litert-torch`.
        distances: `A - B` -> distance, for the three pairs of PyTorch, ours and litert-torch.
        gate: what a distance may be at most.
    """

    converter: str
    runtime: str
    crops: int
    size: int
    files: dict[str, ConvertedFile]
    distances: dict[str, Distance]
    gate: Gate

    @property
    def passed(self) -> bool:
        return all(distance.within(self.gate) for distance in self.distances.values())

    @property
    def verdict(self) -> str:
        """Which converters agree with PyTorch, as text."""
        wrong = [name for name in (ONNX2TF, LITERT_TORCH) if not self.distances[_pair(TORCH, name)].within(self.gate)]
        if not wrong:
            return "both converters agree with PyTorch" if self.passed else "the two converters differ from each other"
        moved = " and ".join(f"{name} ({self.distances[_pair(TORCH, name)].max_px:.3f} px)" for name in wrong)
        return f"moved the landmarks: {moved}; the gate is {self.gate.max_px:g} px"

    def to_dict(self) -> dict[str, Any]:
        return asdict(self) | {"passed": self.passed, "verdict": self.verdict}


def find_litert_torch() -> str:
    """Return the Python with litert-torch: the one that DISTILL_LITERT_TORCH_PYTHON names, else this one.

    Raises:
        ConfigError: neither has it; the text names the commands that install it.
    """
    chosen = os.environ.get(LITERT_TORCH_PYTHON)
    if chosen is None and importlib.util.find_spec("litert_torch"):
        return sys.executable
    release = torch.__version__.partition("+")[0]
    remedy = (
        f"in an environment of its own run `pip install litert-torch==0.10.0 torch=={release}` (2 GB), "
        f"then set {LITERT_TORCH_PYTHON} to its python"
    )
    if chosen is None:
        raise ConfigError(f"litert-torch is not installed; {remedy}")
    code = "import importlib.util as u, sys; sys.exit(u.find_spec('litert_torch') is None)"
    try:
        command = ending_with_parent([chosen, "-c", code])
        present = subprocess.run(command, capture_output=True, timeout=60).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        present = False
    if not present:
        raise ConfigError(f"{LITERT_TORCH_PYTHON}={chosen}: this Python has no litert-torch; {remedy}")
    return chosen


def save_program(net: nn.Module, spec: ModelSpec, path: str | Path) -> Path:
    """Write the shipped form of a network, (1, h, w, 3) -> (1, k, 2), as a torch program (.pt2); return the path.

    Raises:
        ExportError: torch.export cannot trace the network.
    """
    from torch._export.verifier import SpecViolationError

    shipped = LandmarksOnly(export_form(net).cpu().float()).eval()
    size = spec.crop.size
    try:
        with torch.no_grad(), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # notes of torch to itself about its own format
            program = torch.export.export(shipped, (torch.zeros(1, size, size, 3),))
            # Inlines the regions without autocast, which a saved program cannot hold.
            torch.export.save(program.run_decompositions({}), str(path))
    except (RuntimeError, ValueError, TypeError, SpecViolationError) as error:
        reason = str(error).strip().splitlines()[0][:200]
        raise ExportError(
            f"{spec.arch} has no torch form to export: {reason}; "
            "register a rewrite of the layer (distill.models.rewrite)"
        ) from error
    return Path(path)


def convert(python: str, program: Path, target: Path) -> str:
    """Convert a torch program with the litert-torch of `python`; return the converter's name and version.

    Raises:
        ExportError: it fails, or takes more than 15 minutes.
    """
    environment = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "PYTHONHOME")}
    environment |= {"TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": "-1", "JAX_PLATFORMS": "cpu"}
    options: dict[str, Any] = {"capture_output": True, "text": True, "errors": "replace", "env": environment}
    try:
        command = ending_with_parent([python, str(_WORKER), str(program), str(target)])
        done = subprocess.run(command, timeout=_SECONDS, **options)
        name = "import importlib.metadata as m; print('litert-torch', m.version('litert-torch'))"
        version = subprocess.run(ending_with_parent([python, "-c", name]), timeout=60, **options).stdout.strip()
    except subprocess.TimeoutExpired as error:
        raise ExportError(f"litert-torch took more than {_SECONDS} s; try a smaller input") from error
    if done.returncode or not target.is_file():
        last = (done.stderr.strip().splitlines() or [f"exit status {done.returncode}"])[-1][:300]
        raise ExportError(
            f"litert-torch cannot convert this network ({last}); "
            "the cross-check did not run and gives no verdict on the file"
        )
    return version


def cross_check(
    net: nn.Module,
    spec: ModelSpec,
    crops: NDArray[np.float32],
    ours: str | Path | None = None,
    gate: Gate = GATES["fp32"],
) -> CrossCheck:
    """Convert a network with litert-torch and compare PyTorch, our fp32 file and its fp32 file.

    Args:
        net: returns a `Prediction` for (b, 3, h, w) images in [0, 1].
        crops: (n, size, size, 3) float32 RGB in [0, 1].
        ours: our fp32 TFLite file of the same network; converted here when None.

    Raises:
        ConfigError: litert-torch or a TFLite runtime is missing.
        ExportError: a conversion fails, or a file does not run.
    """
    python = find_litert_torch()
    runtime = _newest_runtime()
    with tempfile.TemporaryDirectory(prefix="cross-check-") as name:
        folder = Path(name)
        program = save_program(net, spec, folder / "net.pt2")
        paths = {
            ONNX2TF: Path(ours) if ours else _convert_here(net, spec, folder),
            LITERT_TORCH: folder / "second.tflite",
        }
        converter = convert(python, program, paths[LITERT_TORCH])
        points = {TORCH: _run_torch(net, crops)}
        points |= {name: _run_tflite(runtime, name, path, crops) for name, path in paths.items()}
        files = {name: _describe(path) for name, path in paths.items()}
    pairs = ((TORCH, ONNX2TF), (TORCH, LITERT_TORCH), (ONNX2TF, LITERT_TORCH))
    distances = {_pair(a, b): _distance(points[a], points[b], spec.crop.size) for a, b in pairs}
    return CrossCheck(converter, str(runtime), len(crops), spec.crop.size, files, distances, gate)


def _pair(first: str, second: str) -> str:
    return f"{first} - {second}"


def _newest_runtime() -> Runtime:
    runtimes = list_runtimes()
    if not runtimes:
        raise ConfigError("no TFLite runtime to compare the files in; run `pip install ai-edge-litert`")
    return runtimes[0]


def _convert_here(net: nn.Module, spec: ModelSpec, folder: Path) -> Path:
    return export_tflite(export_onnx(net, spec, folder / "ours.onnx"), spec, folder, ("fp32",), "ours")["fp32"]


def _run_torch(net: nn.Module, crops: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the landmarks of the network as it was trained, not of its export form."""
    was_training, device = net.training, next(net.parameters()).device
    net.eval()
    with torch.inference_mode():
        images = torch.from_numpy(np.ascontiguousarray(crops)).permute(0, 3, 1, 2).to(device)
        points = [net(image[None]).landmarks.float().cpu().numpy() for image in images]
    net.train(was_training)
    return np.concatenate(points)


def _run_tflite(runtime: Runtime, name: str, path: Path, crops: NDArray[np.float32]) -> NDArray[np.float32]:
    points = run_in_child(runtime, path, crops)
    if isinstance(points, RuntimeFailure):
        raise ExportError(f"the file of {name} does not run on {runtime} ({points.kind}: {points.text})")
    return points[..., :2]  # without their confidence


def _describe(path: Path) -> ConvertedFile:
    report = check_model(path, "2.19.0")
    return ConvertedFile(path.stat().st_size, sum(row.count for row in report.rows), report.min_runtime)


def _distance(first: NDArray[np.float32], second: NDArray[np.float32], size: int) -> Distance:
    if first.shape != second.shape:
        raise ExportError(f"the converters return {first.shape} and {second.shape}; both must return (n, k, 2)")
    lengths = np.linalg.norm((first - second) * size, axis=-1)
    return Distance(float(lengths.max()), float(lengths.mean()))


def render(comparison: CrossCheck) -> "Table":
    """Return the cross-check as a table for the terminal."""
    from rich.table import Table

    notes = [f"{name}: {file.bytes / 1e6:.2f} MB, {file.nodes} nodes, TFLite >= {file.min_runtime or 'unknown'}"
             for name, file in comparison.files.items()]  # fmt: skip
    table = Table(
        title=f"{comparison.converter} on {comparison.runtime}, {comparison.crops} crops of {comparison.size} px",
        caption="\n".join([*notes, comparison.verdict]),
    )
    for heading in ("pair", "max px", "mean px"):
        table.add_column(heading, justify="left" if heading == "pair" else "right")
    for pair, distance in comparison.distances.items():
        table.add_row(pair, f"{distance.max_px:.6f}", f"{distance.mean_px:.6f}")
    return table
