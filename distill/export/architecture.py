"""Will an architecture run on the phone? Asked before weeks of training, with random weights."""

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from distill.errors import ExportError
from distill.export.flatbuffer import read_graph
from distill.export.opcheck import OpReport, check_model
from distill.export.runtimes import RuntimeFailure, list_runtimes, run_in_child
from distill.export.to_onnx import export_onnx
from distill.export.to_tflite import export_tflite
from distill.geometry import CropSpec
from distill.landmarks import load_scheme
from distill.models import create_model
from distill.spec import ModelSpec

_DTYPES = {"FLOAT32": np.float32, "INT8": np.int8, "UINT8": np.uint8}


@dataclass(frozen=True)
class ArchitectureReport:
    """What an untrained network becomes.

    Attributes:
        ops: the static check of its fp32 file.
        loads: for each runtime present, `runs` or why it does not.
        size_bytes: of the fp32 file.
    """

    ops: OpReport
    loads: dict[str, str]
    size_bytes: int

    @property
    def passed(self) -> bool:
        return self.ops.passed and all(outcome == "runs" for outcome in self.loads.values())

    @property
    def exit_status(self) -> int:
        return 0 if self.passed else 1


def load_everywhere(path: str | Path, release: str) -> dict[str, str]:
    """Load and invoke any TFLite file with one input in every runtime present that is at least `release`.

    Returns:
        for each runtime `runs`, or the kind of failure and the reason.

    Raises:
        CheckpointError: not a TFLite file.
    """
    path, outcomes = Path(path), {}
    graph = read_graph(path.read_bytes(), str(path))
    if len(graph.inputs) != 1 or graph.inputs[0].dtype not in _DTYPES:
        inputs = ", ".join(f"{tensor.dtype} {tensor.shape}" for tensor in graph.inputs)
        return {"loading": f"not tried: only files with one input of {', '.join(_DTYPES)} are run, this has {inputs}"}
    entry = graph.inputs[0]
    noise = np.random.default_rng(0).random(tuple(max(1, side) for side in entry.shape), np.float32)
    sample = (noise if entry.dtype == "FLOAT32" else noise * 100).astype(_DTYPES[entry.dtype])
    for runtime in list_runtimes():
        if not runtime.covers(release):
            continue
        result = run_in_child(runtime, path, sample)
        if isinstance(result, RuntimeFailure):
            outcomes[str(runtime)] = f"{result.kind}: {result.text}"
        else:
            outcomes[str(runtime)] = "runs" if np.isfinite(result).all() else "error: it returned numbers not finite"
    return outcomes


def check_architecture(
    arch: str, runtime: str, scheme: str = "inner51", size: int = 128, options: Mapping[str, Any] | None = None
) -> ArchitectureReport:
    """Build `arch` with random weights, convert it in a temporary folder, check its operators and load it.

    Raises:
        ConfigError: unknown architecture, option or runtime release.
        ExportError: it cannot be converted.
    """
    options = dict(options or {})
    net = create_model(arch, scheme, **options).eval()
    spec = ModelSpec(arch, scheme, load_scheme(scheme).n_points, CropSpec(size=size), options)
    with tempfile.TemporaryDirectory(prefix="distill-check-") as folder:
        onnx_path = export_onnx(net, spec, Path(folder, "net.onnx"))
        path = export_tflite(onnx_path, spec, folder, ("fp32",), stem=arch)["fp32"]
        return ArchitectureReport(check_model(path, runtime), load_everywhere(path, runtime), path.stat().st_size)


def require_ops(report: OpReport) -> None:
    """Refuse a model with operators its runtime lacks.

    Raises:
        ExportError: naming them.
    """
    if not report.passed:
        raise ExportError(f"{report.model} does not run on TFLite {report.runtime}: {'; '.join(report.failures[:3])}")
