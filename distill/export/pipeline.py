"""Export pipeline: network -> ONNX -> TFLite; files are published only when every check of every stage passed."""

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import nn

from distill.data.config import FacesConfig
from distill.errors import ConfigError, ExportError
from distill.export.architecture import require_ops
from distill.export.calibration import Calibration
from distill.export.config import ExportConfig, Lane, QuantizeConfig
from distill.export.integer_parts import write_integer_parts
from distill.export.quantization_modes import MODES
from distill.export.to_onnx import export_onnx, has_confidence
from distill.export.to_tflite import export_tflite
from distill.export.verify.parity import ParityReport, measure, refusal
from distill.export.verify.sensitivity import LayerCost, sensitivity
from distill.export.verify.tolerances import Gate
from distill.files import sha256, write_json
from distill.inference.backend import Backend, Predict
from distill.inference.exported import OnnxBackend
from distill.inference.torch_backend import TorchBackend
from distill.landmarks import load_scheme
from distill.opcheck.check import OpReport, check_model
from distill.spec import ModelSpec, sidecar_path
from distill.system.locks import folder_lock
from distill.system.publication import Staging, staged
from distill.tflite.runtimes import Runtime, RuntimeFailure, list_runtimes, run_in_child

FORMAT = "distill-export/3"
# File that describes an export.
STATEMENT = "export.json"
# Crops that suffice to rank layers by sensitivity.
_LAYER_CROPS = 8
# Crops that suffice to compare a further runtime with the first one.
_FEW_CROPS = 8


@dataclass(frozen=True)
class ExportResult:
    """Files and reports of an export.

    Attributes:
        files: model file by mode: `onnx` and the requested modes.
        parity: every stage against PyTorch; TFLite stages are named `MODE on RUNTIME`.
        ops: the operator check of every TFLite file.
        report: export.json, which holds all of it.
        parts: files of `write_integer_parts`, where they were requested.
    """

    files: dict[str, Path]
    parity: ParityReport
    ops: dict[str, OpReport]
    report: Path
    parts: dict[str, Path] = field(default_factory=dict)

    def __str__(self) -> str:
        """Return a line for each file: its path and size."""
        return "\n".join(
            f"{path}  {path.stat().st_size / 1e6:.2f} MB" for path in (*self.files.values(), *self.parts.values())
        )


@dataclass(frozen=True)
class Conversion:
    """A finished conversion that is not published yet: its files lie in a temporary folder.

    Attributes:
        files: model file by mode.
        crops: what the stages were compared on.
        quantize: modules and operators of the integer modes in floats.
        calibration: the faces the integer modes were calibrated on.
        lane: converter.
        parts: files of `write_integer_parts`, where they were requested.
        about_parts: what `export.json` says of them.
        faces: what the crops were cut from; None of generated faces.
        batch: crops of one call of the files.
    """

    files: dict[str, Path]
    parity: ParityReport
    ops: dict[str, OpReport]
    spec: ModelSpec
    crops: NDArray[np.float32]
    quantize: QuantizeConfig
    calibration: Calibration | None
    staging: Staging
    lane: Lane
    parts: dict[str, Path] = field(default_factory=dict)
    about_parts: dict[str, Any] | None = None
    faces: FacesConfig | None = None
    batch: int = 1

    def layer_costs(self, mode: str, progress: bool = False) -> list[LayerCost]:
        """Return what rounding each module as `mode` does costs, the most expensive first; exact modes cost nothing."""
        if mode not in MODES:
            return []
        patterns = [re.compile(pattern) for pattern in self.quantize.modules(mode)]
        rounded_everywhere = MODES[mode].rounding != "all"

        def skip(module: str) -> bool:
            return not rounded_everywhere and any(pattern.fullmatch(module) for pattern in patterns)

        return sensitivity(self.files["onnx"], self.crops[:_LAYER_CROPS], MODES[mode].rounding, skip, progress)

    def require(self) -> None:
        """Refuse a conversion with a stage that misses its gate.

        Raises:
            ExportError: one line with the stage, the worst landmarks and the most sensitive layers.
        """
        if self.parity.failed:
            costs = self.layer_costs(mode_of(self.parity.failed[0].name))[:3]
            layers = [(cost.module, cost.mean_px) for cost in costs]
            raise refusal(self.parity, load_scheme(self.spec.scheme), layers)

    def publish(self, write_more: Callable[[Path], None] | None = None) -> ExportResult:
        """Make the files and export.json appear in the folder they were made for, all at once.

        Args:
            write_more: writes further files that belong to this export into a folder.
        """
        folder, out_dir = self.staging.folder, self.staging.target
        for path in (*self.files.values(), *self.parts.values()):
            for source in (path, sidecar_path(path)):
                if source.is_file():
                    source.rename(folder / source.name)
        staged_files = {mode: folder / path.name for mode, path in self.files.items()}
        write_json(folder / STATEMENT, self._summary(staged_files))
        if write_more is not None:
            write_more(folder)
        self.staging.publish(STATEMENT)
        files = {mode: out_dir / path.name for mode, path in self.files.items()}
        parts = {name: out_dir / path.name for name, path in self.parts.items()}
        return ExportResult(files, self.parity, self.ops, out_dir / STATEMENT, parts)

    def _summary(self, published: Mapping[str, Path]) -> dict[str, Any]:
        files = {
            mode: {"file": path.name, "bytes": path.stat().st_size, "sha256": sha256(path)}
            for mode, path in published.items()
        }
        return {
            "format": FORMAT,
            "spec": asdict(self.spec),
            "files": files,
            "parity": self.parity.to_dict(),
            "ops": {mode: report.to_dict() for mode, report in self.ops.items()},
            "quantize": asdict(self.quantize),
            "calibration": calibration_summary(self.calibration),
            "lane": self.lane,
            **({} if self.batch == 1 else {"batch": self.batch}),
            **({} if self.about_parts is None else {"integer_parts": self.about_parts}),
        }


def calibration_summary(calibration: Calibration | None) -> dict[str, Any] | None:
    """Return the calibration faces as a report states them, None without calibration."""
    if calibration is None:
        return None
    return {"source": calibration.source, "faces": len(calibration.crops), "data_hash": calibration.data_hash}


def mode_of(stage: str) -> str:
    """`int8 on litert 2.3.0` -> `int8`."""
    return stage.partition(" on ")[0]


@contextmanager
def convert(
    net: nn.Module,
    spec: ModelSpec,
    out_dir: str | Path,
    crops: NDArray[np.float32],
    config: ExportConfig,
    landmarks: NDArray[np.floating] | None = None,
    calibration: Calibration | None = None,
) -> Iterator[Conversion]:
    """Convert a network and measure its parity; nothing is in `out_dir` until the result is published.

    Each TFLite file is checked against the config's runtime operator by operator and then run in every runtime present.

    Args:
        net: returns a `Prediction` for (b, 3, h, w) images in [0, 1].
        crops: (n, size, size, 3) float32 RGB in [0, 1]; faces, because parity on noise means little.
        config: `modes`, `runtime`, `stem`, `quantize`, `gates`, `lane`, `environment` and `batch` of it.
        landmarks: (n, k, 2) normalised to the crop, for the difference in NME.
        calibration: training faces for the integer modes, none of them among `crops`.

    Raises:
        ConfigError: crops of another size than the spec's, calibration faces among them, or another process exports
            to this folder.
        ExportError: a stage failed or needs a newer runtime; then `out_dir` is as it was. A missed gate is raised by
            `Conversion.require`.
    """
    out_dir = Path(out_dir)
    _require_crops(crops, spec.crop.size, calibration)
    quantize = config.quantize.for_network(net)
    with folder_lock(out_dir, "is exporting to", "--out"), staged(out_dir) as staging:
        folder = staging.folder.parent
        confidence = config.confidence and has_confidence(net, spec)
        files = {"onnx": export_onnx(net, spec, Path(folder, f"{config.stem}.onnx"), confidence, config.batch)}
        faces = None if calibration is None else calibration.crops
        files |= export_tflite(
            files["onnx"], spec, folder, config.modes, config.stem, faces, quantize,
            lane=config.lane, environment=config.environment, license=config.license, batch=config.batch,
        )  # fmt: skip
        ops = {mode: check_model(files[mode], config.runtime) for mode in config.modes}
        for report in ops.values():
            require_ops(report)
        candidates, gates = _candidates(files, config)
        reference = _joined(TorchBackend(net, spec, batch_size=1), confidence)
        scheme = load_scheme(spec.scheme)
        measured = measure(reference, candidates, crops, landmarks, scheme, gates, _limits(candidates))
        parts, about_parts = (
            write_integer_parts(files["int8"], config.stem, crops[:_FEW_CROPS]) if config.integer_parts else ({}, None)
        )
        yield Conversion(
            files, measured, ops, spec, crops, quantize, calibration, staging, config.lane, parts, about_parts,
            batch=config.batch,
        )  # fmt: skip


def _require_crops(crops: NDArray[np.float32], size: int, calibration: Calibration | None) -> None:
    if crops.ndim != 4 or len(crops) == 0 or crops.shape[1:] != (size, size, 3):
        raise ConfigError(
            f"parity needs crops of (n, {size}, {size}, 3), got {crops.shape}; cut them with the model's spec"
        )
    if calibration is not None:
        calibration.require_apart(crops)


def _candidates(files: Mapping[str, Path], config: ExportConfig) -> tuple[dict[str, Predict], dict[str, Gate]]:
    """Return what to compare with PyTorch, and the gate of each."""
    runtimes = [runtime for runtime in list_runtimes() if runtime.covers(config.runtime)]
    if not runtimes:
        raise ConfigError("no TFLite runtime to check the result in; run `pip install ai-edge-litert`")
    limits = config.gates.by_stage()
    candidates: dict[str, Predict] = {"onnx": _joined(OnnxBackend(files["onnx"]))}
    gates = {"onnx": limits["onnx"]}
    for mode in config.modes:
        for runtime in runtimes:
            candidates[f"{mode} on {runtime}"] = _tflite(runtime, files[mode])
            gates[f"{mode} on {runtime}"] = limits[mode]
    return candidates, gates


def _limits(candidates: Mapping[str, Predict]) -> dict[str, int]:
    """Compare rounded modes on a few crops only in all runtimes but the first: old ones take a second for each."""
    known: set[str] = set()
    limits: dict[str, int] = {}
    for name in candidates:
        mode = mode_of(name)
        if mode in known and MODES[mode].rounding in ("weights", "all"):
            limits[name] = _FEW_CROPS
        known.add(mode)
    return limits


def _joined(backend: Backend, confidence: bool = True) -> Predict:
    """Return a call that gives points with their confidence as third column, (n, k, 3), where the backend has it."""

    def predict(crops: NDArray[np.float32]) -> NDArray[np.float32]:
        points, certain = backend.with_confidence(crops)
        return np.concatenate([points, certain[..., None]], -1) if confidence and certain is not None else points

    return predict


def _tflite(runtime: Runtime, path: Path) -> Predict:
    def predict(crops: NDArray[np.float32]) -> NDArray[np.float32]:
        points = run_in_child(runtime, path, crops)
        if isinstance(points, RuntimeFailure):
            raise ExportError(
                f"{path.name} does not run on {runtime} ({points.kind}: {points.text}); nothing was written"
            )
        return points

    return predict
