"""Export of a checkpoint file: PyTorch -> ONNX -> TFLite, published only when every parity check passed."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from torch import nn

from distill.data.config import FacesConfig
from distill.data.crops import face_crops
from distill.environments import ensure_environment
from distill.export import pipeline
from distill.export.calibration import calibrate_on
from distill.export.config import CalibrationConfig, ExportConfig, Lane, QuantizeConfig
from distill.export.pipeline import Conversion, ExportResult
from distill.export.quantization_modes import MODES, require_modes
from distill.export.run_faces import comparison_faces
from distill.export.verify.tolerances import GateConfig
from distill.models import checkpoint as checkpoints
from distill.tflite.releases import parse_release


@contextmanager
def convert_checkpoint(
    checkpoint: str | Path, out: str | Path | None, config: ExportConfig
) -> Iterator[tuple[Conversion, nn.Module]]:
    """Convert a checkpoint and measure its parity; nothing is in `out` until the result is published.

    Args:
        checkpoint: a `.ckpt` or `.safetensors` file.
        out: folder for the files; `export` beside the checkpoint by default.

    Raises:
        CheckpointError, ConfigError: the checkpoint or an option is not valid.
        ExportError: the conversion failed.
    """
    require_modes(config.modes)
    parse_release(config.runtime)
    if config.environment is not None:
        ensure_environment(config.lane, config.environment)  # before anything slow
    net, spec = checkpoints.load_model(checkpoint, config.scheme)
    data = comparison_faces(checkpoint, spec.scheme, config.data)
    source = (data.format, data.root, data.subset) if data else ()
    crops, landmarks = face_crops(spec, config.faces, *source)
    calibrated = any(MODES[mode].calibrated for mode in config.modes)
    calibration = calibrate_on(spec, config.calibration) if calibrated else None
    folder = Path(out) if out is not None else Path(checkpoint).parent / "export"
    with pipeline.convert(net, spec, folder, crops, config, landmarks, calibration) as conversion:
        yield replace(conversion, faces=data), net


def export(
    checkpoint: str | Path,
    out: str | Path | None = None,
    modes: Sequence[str] = ("fp32", "fp16"),
    *,
    data: FacesConfig | None = None,
    faces: int = 32,
    runtime: str = "2.11.0",
    scheme: str | None = None,
    stem: str = "student",
    calibration: CalibrationConfig | None = None,
    quantize: QuantizeConfig | None = None,
    gates: GateConfig | None = None,
    confidence: bool = True,
    lane: Lane = "modern",
    environment: Path | None = None,
    integer_parts: bool = False,
    batch: int = 1,
) -> ExportResult:
    """Export a checkpoint to ONNX and TFLite.

    Args:
        checkpoint: a `.ckpt` or `.safetensors` file.
        out: folder for the files; `export` beside the checkpoint by default.
        modes: quantization modes, of fp32, fp16, w8, dynamic, int8_hybrid, int8, int16x8.
        data: faces that the formats are compared on; by default generated faces, and where these do not have the
            network's points, the validation faces of its run.
        faces: number of them.
        runtime: oldest TFLite runtime that must have every operator.
        scheme: keep the head of this landmark scheme, or of a head those points; the main head by default.
        stem: the files are named STEM.onnx, STEM_fp32.tflite and so on.
        calibration: training faces for the integer modes; generated faces by default.
        quantize: modules and operators that stay in floats.
        gates: largest change allowed in each format.
        confidence: second output with the confidence of each point; without effect on networks without heatmaps.
        lane: converter, `modern` (onnx2tf 2.6, litert-quantizer) or `classic` (onnx2tf 1.28, TensorFlow 2.19).
        environment: interpreter or virtual environment that has the converter; made on first use by default.
        integer_parts: also write the int8 file as two, integers in and out and a decoder in floats, for DSPs and NPUs.
        batch: crops of one call of the files, a fixed dimension; they run any number of crops in whole batches.

    Raises:
        CheckpointError, ConfigError: the checkpoint or an option is not valid, or the converter cannot be installed.
        ExportError: a parity check failed; then `out` is as it was.
    """
    config = ExportConfig(
        modes, data, faces, runtime, scheme, stem, calibration or CalibrationConfig(), quantize or QuantizeConfig(),
        gates or GateConfig(), confidence, lane, environment, integer_parts, batch=batch,
    )  # fmt: skip
    with convert_checkpoint(checkpoint, out, config) as (conversion, _):
        conversion.require()
        return conversion.publish()
