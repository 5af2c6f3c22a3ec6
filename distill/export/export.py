"""Export of a checkpoint file: PyTorch -> ONNX -> TFLite, published only when every parity check passed."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from torch import nn

from distill.data.config import FacesConfig
from distill.data.crops import face_crops
from distill.export import pipeline
from distill.export.calibration import calibrate_on
from distill.export.config import CalibrationConfig, QuantizeConfig
from distill.export.pipeline import Conversion, ExportResult
from distill.export.quantization_modes import MODES, require_modes
from distill.export.verify.tolerances import GateConfig
from distill.models import checkpoint as checkpoints
from distill.tflite.releases import parse_release


@contextmanager
def convert_checkpoint(
    checkpoint: Path,
    out: Path | None = None,
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
) -> Iterator[tuple[Conversion, nn.Module]]:
    """Convert a checkpoint and measure its parity; nothing is in `out` until the result is published.

    Arguments and errors are those of `export`.
    """
    require_modes(modes)
    parse_release(runtime)
    net, spec = checkpoints.load_model(checkpoint, scheme)
    source = (data.format, data.root, data.subset) if data else ()
    crops, landmarks = face_crops(spec, faces, *source)
    calibrated = any(MODES[mode].calibrated for mode in modes)
    shown = calibrate_on(spec, calibration or CalibrationConfig()) if calibrated else None
    folder = out or Path(checkpoint).parent / "export"
    limits = (gates or GateConfig()).by_stage()
    with pipeline.convert(
        net, spec, folder, crops, landmarks, runtime, modes, stem, limits, shown, quantize
    ) as conversion:
        yield conversion, net


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
) -> ExportResult:
    """Export a checkpoint to ONNX and TFLite.

    Args:
        checkpoint: a `.ckpt` or `.safetensors` file.
        out: folder for the files; `export` beside the checkpoint by default.
        modes: quantization modes, of fp32, fp16, w8, dynamic, int8_hybrid, int8, int16x8.
        data: faces that the formats are compared on; generated faces by default.
        faces: number of them.
        runtime: oldest TFLite runtime that must have every operator.
        scheme: keep the head of this landmark scheme; the main one by default.
        stem: the files are named STEM.onnx, STEM_fp32.tflite and so on.
        calibration: training faces for the integer modes; generated faces by default.
        quantize: modules and operators that stay in floats.
        gates: largest change allowed in each format.

    Raises:
        CheckpointError, ConfigError: the checkpoint or an option is not valid.
        ExportError: a parity check failed; then `out` is as it was.
    """
    with convert_checkpoint(
        Path(checkpoint),
        Path(out) if out is not None else None,
        modes,
        data=data,
        faces=faces,
        runtime=runtime,
        scheme=scheme,
        stem=stem,
        calibration=calibration,
        quantize=quantize,
        gates=gates,
    ) as (conversion, _):
        conversion.require()
        return conversion.publish()
