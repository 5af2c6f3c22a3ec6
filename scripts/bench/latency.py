"""Latency of the student against PyTorch and MediaPipe's FaceMesh, in turns, with the gates the project promises.

`python -m scripts.bench.latency --json results/bench/latency.json`: for each size the student of
configs/student_fast.yaml with random weights, which take as long as trained ones, in eager PyTorch and as an fp32
TFLite file, beside FaceMesh's landmark net, the released 8-bit EFLD, and any further files given (an int8 file is
compared with the fp32 file of its name: NAME_int8.tflite, NAME_fp32.tflite). Exits with 1 when a gate fails. One
thread; a busy machine is named in the output.
"""

import argparse
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from rich.console import Console

from distill.bench.result import BenchResult, Settings
from distill.bench.run import bench
from distill.export.to_onnx import export_onnx
from distill.export.to_tflite import export_tflite
from distill.geometry import CropSpec
from distill.landmarks import load_scheme
from distill.models.checkpoint import save_model
from distill.provenance import command_line, write_result
from distill.report.bench import render
from distill.report.bench_json import to_json
from distill.spec import ModelSpec
from scripts.bench.untrained import untrained

PEER = "facemesh"
TORCH_LIMIT, INT8_LIMIT, OPERATORS_LIMIT = 0.5, 0.55, 350
FACEMESH_LIMITS = {256: 8.0, 128: 2.0}
# The smallest network, beside the student at the size that its paper gives it, and FaceMesh.
SMALLEST = Path("checkpoints/efld_51_128_int8.tflite")
SMALLEST_LIMITS = {"student_256_fp32.tflite": 1 / 8, PEER: 1.0}


@dataclass(frozen=True)
class Gate:
    """A promise: what is measured, its value, and the most it may be."""

    name: str
    value: float
    limit: float

    @property
    def passed(self) -> bool:
        return self.value <= self.limit

    def __str__(self) -> str:
        return f"{self.name}: {self.value:.3g} <= {self.limit:g}: {'passed' if self.passed else 'FAILED'}"

    def to_dict(self) -> dict[str, Any]:
        return {"name": self.name, "value": self.value, "limit": self.limit, "passed": self.passed}


def make_student(config: Path, size: int, folder: Path) -> list[Path]:
    """Write a student with random weights for PyTorch and LiteRT; return both files."""
    wanted = yaml.safe_load(config.read_text())
    scheme, arch, options = wanted["data"]["scheme"], wanted["model"]["arch"], wanted["model"].get("options", {})
    net = untrained(arch, scheme, options)
    spec = ModelSpec(arch, scheme, load_scheme(scheme).n_points, CropSpec(size=size), options)
    stem = f"student_{size}"
    weights = folder / f"{stem}.safetensors"
    save_model(weights, net, spec)
    onnx = export_onnx(net, spec, folder / f"{stem}.onnx")
    return [weights, export_tflite(onnx, spec, folder, ("fp32",), stem)["fp32"]]


def gates(found: BenchResult, sizes: Sequence[int]) -> list[Gate]:
    """Return every promise that this run can tell about."""
    ms = {key.name: timing.median_ms for key, timing in found.timings.items() if key.part == "model"}
    checked = []
    for size in sizes:
        fp32 = f"student_{size}_fp32.tflite"
        operators = found.model(fp32).operators or 0
        checked.append(
            Gate(f"{size} px: LiteRT over PyTorch", ms[fp32] / ms[f"student_{size}.safetensors"], TORCH_LIMIT)
        )
        if PEER in ms and size in FACEMESH_LIMITS:
            checked.append(Gate(f"{size} px: LiteRT over FaceMesh", ms[fp32] / ms[PEER], FACEMESH_LIMITS[size]))
        checked.append(Gate(f"{size} px: operators", operators, OPERATORS_LIMIT))
    for name, limit in SMALLEST_LIMITS.items():
        if {SMALLEST.name, name} <= ms.keys():
            checked.append(Gate(f"{SMALLEST.name} over {name}", ms[SMALLEST.name] / ms[name], limit))
    for name in ms:
        whole = name.replace("_int8", "_fp32")
        if whole != name and whole in ms:
            checked.append(Gate(f"{name} over its fp32", ms[name] / ms[whole], INT8_LIMIT))
    return checked


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="*", type=Path, help="further files to time in the same run")
    parser.add_argument("--config", type=Path, default=Path("configs/student_fast.yaml"), help="whose network to time")
    parser.add_argument("--sizes", type=int, nargs="+", default=[128, 256], help="sides of the crop in pixels")
    parser.add_argument("--rounds", type=int, default=100)
    parser.add_argument("--json", type=Path, help="also write the numbers here")
    args = parser.parse_args()

    with tempfile.TemporaryDirectory() as folder:
        made = [path for size in args.sizes for path in make_student(args.config, size, Path(folder))]
        found = bench([*made, SMALLEST, *args.models], [PEER], Settings((1,), args.rounds), stages=False, progress=True)
    console = Console()
    (console if console.is_terminal else Console(width=120)).print(render(found))
    checked = gates(found, args.sizes)
    for gate in checked:
        print(gate)
    if args.json:
        result = {**to_json(found, command_line()), "gates": [gate.to_dict() for gate in checked]}
        del result["command"]  # the provenance has it
        write_result(args.json, result)
    return 0 if all(gate.passed for gate in checked) else 1


if __name__ == "__main__":
    sys.exit(main())
