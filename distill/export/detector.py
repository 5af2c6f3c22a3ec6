"""Export of a face detector: PyTorch -> ONNX -> TFLite with raw output maps, or with boxes for one fixed size.

The graph holds no constant sizes: the pyramid doubles its maps by depth-to-space of four copies, and the outputs are
the maps of the heads as they are. So one file runs on every input whose sides are multiples of 32, after
`resize_tensor_input` in TFLite. Decoding and suppression are `distill.detection.retinaface`'s, in numpy. With the
decoding in the graph (`detector_decoding`) the size is fixed, and suppression alone is left.
"""

import copy
import tempfile
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from distill.detection.retinaface.decode_maps import Candidates, candidates_of
from distill.detection.retinaface.letterbox import filled, letterbox
from distill.detection.retinaface.net import RetinaFace
from distill.detection.retinaface.net_file import NetFile
from distill.detection.retinaface.priors import AnchorConfig
from distill.errors import ConfigError, ExportError, require_sequences
from distill.export.architecture import require_ops
from distill.export.config import Lane
from distill.export.detector_decoding import OUTPUTS, DecodedDetector
from distill.export.lanes import Job, Quantization, convert
from distill.export.quantize import ends_of, stem_of
from distill.export.rewrites.fold_convolutions import compose
from distill.export.rewrites.rewrite import export_form
from distill.export.to_onnx import INPUT, OPSET, simplify
from distill.files import atomic_path, write_bytes
from distill.images import Photo
from distill.opcheck.check import OpReport, check_model
from distill.tflite.model import Model

MODES = ("fp32", "fp16", "dynamic", "int8")
# The side that the graph is traced at; small, because the converter compares every operator on it.
_TRACED = 160
# Longer sides of photos that int8 takes the ranges of activations from: the views of `RetinaFaceDetector`.
_CALIBRATED = (160, 320, 640)


class _Doubled(torch.autograd.Function):
    """Nearest upsampling by 2 as an operator without a constant size: depth-to-space of four copies."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        return functional.interpolate(x, scale_factor=2.0, mode="nearest")

    @staticmethod
    def symbolic(g: Any, x: Any) -> Any:
        copies = g.op("Concat", x, x, x, x, axis_i=1)
        return g.op("DepthToSpace", copies, blocksize_i=2, mode_s="DCR")


class RawMaps(nn.Module):
    """The detector as it is shipped: (1, h, w, 3) RGB in [0, 1] -> for each feature map score, box and points.

    The nine outputs are the heads' maps (1, h / stride, w / stride, priors * values).
    """

    def __init__(self, net: RetinaFace) -> None:
        super().__init__()
        self.net = copy.deepcopy(net)
        # The division by `std` as a part of the first weights: one operator and one rounding to 8 bits less.
        stem = self.net.backbone.conv_stem
        stem.weight = nn.Parameter(stem.weight.detach() / self.net.std)  # type: ignore[union-attr, operator]
        # The subtraction of the mean as a 1x1 convolution, with the same result: XNNPACK's subtraction of three values
        # from every pixel takes a seventh of the time of the network. The padding is that of the mean, so the first
        # layer cannot absorb it.
        self.shift = nn.Conv2d(3, 3, 1)
        self.shift.weight = nn.Parameter(torch.eye(3).reshape(3, 3, 1, 1))
        self.shift.bias = nn.Parameter(-self.net.mean.flatten())

    def backbone_maps(self, image: Tensor) -> list[Tensor]:
        """Return the feature maps (1, channels, rows, columns) of the backbone, finest first."""
        return list(self.net.backbone(self.shift(image.permute(0, 3, 1, 2))))

    def pyramid_maps(self, image: Tensor) -> list[Tensor]:
        """Return the maps of the feature pyramid, finest first."""
        return list(self.net.pyramid(self.backbone_maps(image), _Doubled.apply))

    def forward(self, image: Tensor) -> list[Tensor]:
        net = self.net
        outputs = []
        for head, context, x in zip(net.heads, net.context, self.pyramid_maps(image), strict=True):
            shown = context(x)
            outputs += [part(shown).permute(0, 2, 3, 1) for part in (head.score, head.box, head.points)]  # type: ignore[operator]
        return outputs


def export_detector_onnx(
    net: RetinaFace,
    path: str | Path,
    side: int = _TRACED,
    form: Callable[[RetinaFace], nn.Module] = RawMaps,
    names: Sequence[str] | None = None,
) -> Path:
    """Write a detector as ONNX for square inputs of one side.

    Args:
        net: detector.
        path: of the file.
        side: of the input in pixels.
        form: what the graph computes.
        names: of its outputs.

    Raises:
        ExportError: an operator without an ONNX form.
    """
    shipped = form(export_form(net).cpu().float()).eval()  # type: ignore[arg-type]
    with atomic_path(path) as temporary:
        try:
            with torch.no_grad(), warnings.catch_warnings():
                warnings.simplefilter("ignore")  # the legacy exporter announces its end
                inputs = (torch.rand(1, side, side, 3),)
                torch.onnx.export(
                    shipped, inputs, str(temporary), input_names=[INPUT], output_names=names, opset_version=OPSET,
                    dynamo=False,
                )  # fmt: skip
        except (RuntimeError, AssertionError, torch.onnx.errors.OnnxExporterError) as error:
            raise ExportError(f"the detector has no ONNX form: {str(error).strip().splitlines()[0][:200]}") from error
        onnx.save(compose(simplify(temporary)), str(temporary))
    return Path(path)


def export_decoded_onnx(net: RetinaFace, path: str | Path, side: int) -> Path:
    """Write a detector with its decoding as ONNX; see `export_detector_onnx`."""

    def decoded(shipped: RetinaFace) -> nn.Module:
        return DecodedDetector(RawMaps(shipped), net.config.anchors, side)

    return export_detector_onnx(net, path, side, decoded, OUTPUTS)


def with_free_sides(model: onnx.ModelProto) -> onnx.ModelProto:
    """Name the rows and columns of inputs and outputs, which may then be any multiples of 32."""
    del model.graph.value_info[:]
    for index, value in enumerate((*model.graph.input, *model.graph.output)):
        for axis, name in ((1, "rows"), (2, "columns")):
            value.type.tensor_type.shape.dim[axis].dim_param = f"{name}{index}"
    return model


@dataclass(frozen=True)
class DetectorExport:
    """What an export made.

    Attributes:
        files: by mode, and `onnx`.
        ops: operator check of every TFLite file.
    """

    files: dict[str, Path]
    ops: dict[str, OpReport]


def export_detector(
    net: RetinaFace,
    out: str | Path,
    stem: str,
    modes: Sequence[str] = ("fp32", "fp16"),
    photos: Sequence[Photo] = (),
    runtime: str = "2.11.0",
    timeout_s: float = 1800,
    decoded: int | None = None,
    lane: Lane = "modern",
    environment: Path | None = None,
) -> DetectorExport:
    """Convert a detector to `OUT/STEM.onnx` and `OUT/STEM_MODE.tflite`; all operators must run on `runtime`.

    Args:
        net: detector.
        out: folder.
        stem: of the files' names.
        modes: of `MODES`.
        photos: training photos that show int8 the range of every activation.
        runtime: oldest TFLite runtime that must have every operator.
        timeout_s: for each converter.
        decoded: side in pixels of a fixed square input, for files that return boxes, scores and points.
        lane: which converter.
        environment: interpreter or virtual environment that has it; the cached one by default.

    Raises:
        ConfigError: an unknown mode, int8 without photos, a side that is no multiple of 32, or the environment of the
            lane cannot be made.
        ExportError: a converter failed, or an operator that the runtime lacks; then no TFLite file was written.
    """
    require_sequences(modes=modes)
    if unknown := [mode for mode in modes if mode not in MODES]:
        raise ConfigError(f"unknown mode '{unknown[0]}' of a detector: give some of {', '.join(MODES)}")
    if "int8" in modes and not photos:
        raise ConfigError(
            "int8 needs photos to find the ranges of activations: export best.ckpt in the folder of its run, which "
            "names them"
        )
    out, side = Path(out), decoded or _TRACED
    with tempfile.TemporaryDirectory(prefix="detector-") as name:
        folder = Path(name)
        write = export_detector_onnx if decoded is None else export_decoded_onnx
        onnx_path = write(net, folder / "net.onnx", side)
        shown = Quantization(partial(calibration_inputs, photos, decoded), _float_names) if "int8" in modes else None
        content = convert(Job(onnx_path, folder, modes, shown, lane, environment, timeout_s))
        made = {mode: folder / f"{stem}_{mode}.tflite" for mode in content}
        for mode, path in made.items():
            path.write_bytes(content[mode])
        ops = {mode: check_model(path, runtime) for mode, path in made.items()}
        for report in ops.values():
            require_ops(report)
        files = {mode: out / path.name for mode, path in made.items()}
        for mode, path in files.items():
            write_bytes(path, content[mode])
        files = {"onnx": out / f"{stem}.onnx", **files}
        with atomic_path(files["onnx"]) as temporary:
            model = onnx.load(str(onnx_path))
            onnx.save(with_free_sides(model) if decoded is None else model, str(temporary))
    return DetectorExport(files, ops)


def _float_names(model: Model) -> dict[str, list[str]]:
    """Keep the first layer in floats for its time, the last ones because an output in 8 bits has 256 values."""
    graph = model.main
    floats = [*stem_of(graph.operators, graph.inputs[0]), *ends_of(graph.operators)]
    return {"int8": sorted(operator.outputs[-1].name for operator in floats)}


def calibration_inputs(photos: Sequence[Photo], side: int | None = None) -> Iterator[NDArray[np.float32]]:
    """Yield photos (1, h, w, 3) in [0, 1] at all `_CALIBRATED` sizes, or filled up to a fixed side at those up to it.

    Faces are larger in larger inputs: activations of the coarse feature maps reach twice as far at 320 px as at 160.
    """
    for size in _CALIBRATED if side is None else sorted({min(size, side) for size in _CALIBRATED}):
        for photo in photos:
            image = letterbox(photo, size).image
            yield (image if side is None else filled(image, side, side))[None].astype(np.float32) / 255


class TorchMaps:
    """The PyTorch network as a file would be: an image (h, w, 3) uint8, sides multiples of 32 -> its output maps."""

    def __init__(self, net: RetinaFace) -> None:
        self._net = RawMaps(net).eval()

    def __call__(self, image: Photo) -> list[NDArray[np.float32]]:
        with torch.no_grad():
            inputs = torch.from_numpy(image.astype(np.float32)[None] / 255)
            return [output.numpy() for output in self._net(inputs)]


def box_parity(
    net: RetinaFace,
    path: Path,
    anchors: AnchorConfig,
    photos: Sequence[Photo],
    size: int,
    min_score: float,
    decoded: bool = False,
) -> dict[str, float]:
    """Return how far the boxes and scores of an exported file lie from PyTorch's.

    Corners are those of all priors of at least `min_score`, and of the best one of every photo; scores are of all.

    Args:
        net: detector.
        path: of the file.
        anchors: prior boxes.
        photos: shown to both.
        size: longer side of the input in pixels.
        min_score: in [0, 1].
        decoded: the file has a square input of this size and decodes its outputs itself.

    Returns:
        `priors` compared, `mean_px` and `max_px` of the corners in pixels of the input, `max_score`.
    """
    exact, exported, corners, scores = (
        TorchMaps(net),
        NetFile(path),
        list[NDArray[np.float64]](),
        list[NDArray[np.float64]](),
    )
    for photo in photos:
        image = letterbox(photo, size, square=decoded).image
        height, width = image.shape[:2]
        true, found = (candidates_of(maps, anchors, width, height, 0.0) for maps in (exact(image), exported(image)))
        kept = true.scores >= min(min_score, float(true.scores.max()))
        corners.append(np.abs(_select(true, kept).boxes - _select(found, kept).boxes).ravel())
        scores.append(np.abs(true.scores - found.scores))
    px = np.concatenate(corners)
    return {
        "priors": len(px) // 4,
        "mean_px": float(px.mean()),
        "max_px": float(px.max()),
        "max_score": float(np.concatenate(scores).max()),
    }


def _select(found: Candidates, kept: NDArray[np.bool_]) -> Candidates:
    return Candidates(*(values[kept] for values in found))
