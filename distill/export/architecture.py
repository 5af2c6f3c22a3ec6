"""Check of an untrained architecture: convert it with random weights and load it in old TFLite runtimes."""

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from distill.errors import ExportError
from distill.export.to_onnx import export_onnx
from distill.export.to_tflite import export_tflite
from distill.geometry import CropSpec
from distill.landmarks import load_scheme
from distill.models import create_model
from distill.models.zoo import input_size
from distill.opcheck.check import OpReport, check_model
from distill.spec import ModelSpec
from distill.tflite.load_everywhere import load_everywhere


@dataclass(frozen=True)
class ArchitectureReport:
    """Result of converting an untrained network.

    Attributes:
        ops: the static check of its fp32 file.
        loads: for each runtime present that is new enough, `runs` or why it does not.
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


def check_architecture(
    arch: str, runtime: str, scheme: str = "inner51", size: int | None = None, options: Mapping[str, Any] | None = None
) -> ArchitectureReport:
    """Build `arch` with random weights, convert it in a temporary folder, check its operators and load it.

    Raises:
        ConfigError: unknown architecture, option or runtime release.
        ExportError: it cannot be converted.
    """
    size, options = input_size(arch, options or {}, size)
    net = create_model(arch, scheme, **options).eval()
    spec = ModelSpec(arch, scheme, load_scheme(scheme).n_points, CropSpec(size=size), options)
    with tempfile.TemporaryDirectory(prefix="distill-check-") as folder:
        onnx_path = export_onnx(net, spec, Path(folder, "net.onnx"))
        path = export_tflite(onnx_path, spec, folder, ("fp32",), stem=arch)["fp32"]
        ops = check_model(path, runtime, onnx_path)
        return ArchitectureReport(ops, load_everywhere(path, runtime), path.stat().st_size)


def require_ops(report: OpReport) -> None:
    """Refuse a model with operators its runtime lacks.

    Raises:
        ExportError: naming them.
    """
    if not report.passed:
        first = report.explanations[0].removesuffix(".")
        others = f" (and {len(report.failures) - 1} more operators)" if len(report.failures) > 1 else ""
        raise ExportError(f"{report.model} does not run on TFLite {report.runtime}: {first}{others}")
