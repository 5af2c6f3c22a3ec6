"""A trained network -> ONNX -> TFLite, all or nothing: files appear only when every check of every hop passed."""

import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from distill.errors import ConfigError, ExportError
from distill.export.architecture import require_ops
from distill.export.opcheck import OpReport, check_model
from distill.export.parity import GATES, Gate, ParityReport, Predictor, parity
from distill.export.runtimes import Runtime, RuntimeFailure, list_runtimes, run_in_child
from distill.export.to_onnx import export_onnx
from distill.export.to_tflite import export_tflite
from distill.files import sha256, write_json
from distill.landmarks import load_scheme
from distill.runtime import OnnxModel
from distill.spec import ModelSpec, sidecar_path

_FORMAT = "distill-export/1"


@dataclass(frozen=True)
class ExportResult:
    """What an export made.

    Attributes:
        files: model file by kind: `onnx`, `fp32`, `fp16`.
        parity: every hop against PyTorch; TFLite hops are named `KIND on RUNTIME`.
        ops: the operator check of every TFLite file.
        report: export.json, which holds all of it.
    """

    files: dict[str, Path]
    parity: ParityReport
    ops: dict[str, OpReport]
    report: Path


def export(
    net: nn.Module,
    spec: ModelSpec,
    out_dir: str | Path,
    crops: NDArray[np.float32],
    landmarks: NDArray[np.floating] | None = None,
    runtime: str = "2.11.0",
    kinds: Sequence[str] = ("fp32", "fp16"),
    stem: str = "student",
    gates: Mapping[str, Gate] = GATES,
) -> ExportResult:
    """Export a network and prove that what comes out is the same network.

    Each TFLite file is checked against `runtime` operator by operator and then run in every runtime present.

    Args:
        net: returns a `Prediction` for (b, 3, h, w) images in [0, 1].
        crops: (n, size, size, 3) float32 RGB in [0, 1]; real faces, because parity on noise says little.
        landmarks: (n, k, 2) normalised to the crop, for the difference in NME.
        gates: by hop: `onnx` and each of `kinds`.

    Raises:
        ConfigError: crops of another size than the spec's.
        ExportError: a hop failed, moved the landmarks or needs a newer runtime; then `out_dir` is as it was.
    """
    size, out_dir = spec.crop.size, Path(out_dir)
    if crops.ndim != 4 or len(crops) == 0 or crops.shape[1:] != (size, size, 3):
        raise ConfigError(
            f"parity needs crops of (n, {size}, {size}, 3), got {crops.shape}; cut them with the model's spec"
        )
    out_dir.mkdir(parents=True, exist_ok=True)
    # Beside the target, so that moving the finished files is a rename.
    with tempfile.TemporaryDirectory(prefix=".export-", dir=out_dir) as folder:
        files = {"onnx": export_onnx(net, spec, Path(folder, f"{stem}.onnx"))}
        files |= export_tflite(files["onnx"], spec, folder, kinds, stem)
        ops = {kind: check_model(files[kind], runtime) for kind in kinds}
        for report in ops.values():
            require_ops(report)
        candidates, hop_gates = _candidates(files, kinds, runtime, gates)
        measured = parity(_torch(net), candidates, crops, landmarks, load_scheme(spec.scheme), hop_gates)
        files = {kind: _move(path, out_dir) for kind, path in files.items()}
    result = ExportResult(files, measured, ops, out_dir / "export.json")
    write_json(result.report, _summary(result, spec))
    return result


def _candidates(
    files: Mapping[str, Path], kinds: Sequence[str], release: str, gates: Mapping[str, Gate]
) -> tuple[dict[str, Predictor], dict[str, Gate]]:
    """Return what to compare with PyTorch, and the gate of each."""
    runtimes = [runtime for runtime in list_runtimes() if runtime.covers(release)]
    if not runtimes:
        raise ConfigError("no TFLite runtime to check the result in; run `pip install ai-edge-litert`")
    candidates: dict[str, Predictor] = {"onnx": OnnxModel(files["onnx"])}
    hop_gates = {"onnx": gates["onnx"]}
    for kind in kinds:
        for runtime in runtimes:
            candidates[f"{kind} on {runtime}"] = _tflite(runtime, files[kind])
            hop_gates[f"{kind} on {runtime}"] = gates[kind]
    return candidates, hop_gates


def _torch(net: nn.Module) -> Predictor:
    """Return the network itself, as it was trained, as a predictor."""

    def predict(crops: NDArray[np.float32]) -> NDArray[np.float32]:
        was_training = net.training
        net.eval()
        device = next(net.parameters()).device
        with torch.inference_mode():
            images = torch.from_numpy(np.ascontiguousarray(crops)).permute(0, 3, 1, 2).to(device)
            points = [net(image[None]).landmarks.float().cpu().numpy() for image in images]
        net.train(was_training)
        return np.concatenate(points)

    return predict


def _tflite(runtime: Runtime, path: Path) -> Predictor:
    def predict(crops: NDArray[np.float32]) -> NDArray[np.float32]:
        points = run_in_child(runtime, path, crops)
        if isinstance(points, RuntimeFailure):
            raise ExportError(
                f"{path.name} does not run on {runtime} ({points.kind}: {points.text}); nothing was written"
            )
        return points

    return predict


def _move(path: Path, out_dir: Path) -> Path:
    """Move a model and then its sidecar; a reader in between sees a hash that does not match, never a wrong crop."""
    for source in (path, sidecar_path(path)):
        if source.is_file():
            shutil.move(source, out_dir / source.name)
    return out_dir / path.name


def _summary(result: ExportResult, spec: ModelSpec) -> dict[str, Any]:
    files = {
        kind: {"file": path.name, "bytes": path.stat().st_size, "sha256": sha256(path)}
        for kind, path in result.files.items()
    }
    return {
        "format": _FORMAT,
        "spec": asdict(spec),
        "files": files,
        "parity": result.parity.to_dict(),
        "ops": {kind: report.to_dict() for kind, report in result.ops.items()},
    }
