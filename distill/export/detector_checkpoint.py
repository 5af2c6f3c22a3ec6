"""Export of a trained detector: TFLite and ONNX files with their descriptions, compared with PyTorch in pixels.

What a file's description holds is measured on the photos of the run that the checkpoint lies in: the operating score
on those that the training held out, the calibration of its boxes on faces with points along the jaw that were pasted.
"""

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from distill.data.photos.build import split_photos
from distill.data.photos.config import PasteSetConfig, PhotoDataConfig
from distill.data.photos.paste_faces import WITH_JAW
from distill.data.photos.records import PhotoRecord
from distill.data.photos.stored_config import photos_of_run
from distill.data.readers import parse_subsets, read_annotated
from distill.data.records import FaceRecord
from distill.data.synthetic.render import render_face
from distill.detection.metrics import average_precision
from distill.detection.retinaface.detector import RetinaFaceDetector
from distill.detection.retinaface.priors import AnchorConfig
from distill.detection.retinaface.sidecar import DetectorFileSpec, write_detector_sidecar
from distill.errors import ExportError
from distill.export.config import Lane
from distill.export.detector import box_parity, export_detector
from distill.export.detector_calibration import (
    IOU,
    LOWEST,
    MATCHED_SCORE,
    best_score,
    fit_calibration,
    match_faces,
    spread,
)
from distill.files import write_bytes
from distill.images import Photo, read_image
from distill.metrics.detection import match_photos
from distill.models.detector_checkpoint import load_detector

# Largest mean distance of the corners from PyTorch's, in pixels of the input. retinaface_035 on 20 photos of
# mask_boxes, at 320 and 640 px: onnx and fp32 0.00001 at most, fp16 0.005 and 0.012, dynamic 0.07 and 0.12, int8 0.22
# and 0.69.
GATES = {"onnx": 0.01, "fp32": 0.01, "fp16": 0.25, "dynamic": 0.5, "int8": 1.0}
# Largest loss of average precision against PyTorch's. retinaface_035 on all 137 photos of mask_boxes held out, at 320
# and 640 px: onnx and fp32 0, fp16 0.0000, dynamic 0.0000 and a gain of 0.0008, int8 0.0045 and 0.0079.
AP_GATES = {"onnx": 0.01, "fp32": 0.01, "fp16": 0.01, "dynamic": 0.02, "int8": 0.02}
_CALIBRATION_PHOTOS = 100
_PARITY_PHOTOS = 20
_GENERATED = 8
_DEFAULT_SCORE = 0.5
_COMPARED_SCORE = 0.3  # priors that corners are compared of


@dataclass(frozen=True)
class DetectorFile:
    """An exported file and what was measured of it.

    Attributes:
        path: of the file; its description lies beside it.
        parity: distances from PyTorch, see `box_parity`.
        min_score: operating score in the description.
        ap: average precision on the photos that the training held out; None without them.
        torch_ap: that of the PyTorch network, by the ONNX file.
        precision: at the operating score on those photos; None where none of their faces is found.
        recall: likewise.
        calibrated: whether boxes are calibrated to those of landmarks.
    """

    path: Path
    parity: dict[str, float]
    min_score: float = _DEFAULT_SCORE
    ap: float | None = None
    torch_ap: float | None = None
    precision: float | None = None
    recall: float | None = None
    calibrated: bool = False

    def to_dict(self) -> dict[str, Any]:
        return {**self.__dict__, "path": self.path.name}

    def __str__(self) -> str:
        text = f"{self.path}: corners {self.parity['mean_px']:.3f} px from PyTorch, at most {self.parity['max_px']:.2f}"
        boxes = "calibrated to landmarks" if self.calibrated else "as trained"
        if self.ap is None:
            return f"{text}; score {self.min_score}, as there is no run with photos; boxes {boxes}"
        if self.precision is None or self.recall is None:
            return f"{text}; finds no face of the held-out photos (AP 0), score {self.min_score}; boxes {boxes}"
        exact = "" if self.torch_ap is None else f" (PyTorch {self.torch_ap:.3f})"
        return (
            f"{text}; held-out photos: AP {self.ap:.3f}{exact}, at score {self.min_score:.2f} precision "
            f"{self.precision:.2f} and recall {self.recall:.2f}; boxes {boxes}"
        )


def export_detector_checkpoint(
    checkpoint: str | Path,
    out: str | Path | None = None,
    modes: Sequence[str] = ("fp32", "fp16"),
    *,
    stem: str = "detector",
    runtime: str = "2.11.0",
    decoded: int | None = None,
    lane: Lane = "modern",
    environment: Path | None = None,
) -> list[DetectorFile]:
    """Convert a detector's checkpoint; nothing is in `out` unless every file is near enough to PyTorch.

    Args:
        checkpoint: `best.ckpt` of `distill detector`, or a `.safetensors` file.
        out: folder for the files; `export` beside the checkpoint by default.
        modes: of fp32, fp16, dynamic and int8; int8 needs the run's photos.
        stem: of the files' names.
        runtime: oldest TFLite runtime that must have every operator.
        decoded: side in pixels of a fixed square input, for files that return boxes, scores and points.
        lane: which converter.
        environment: interpreter or virtual environment that has it; the cached one by default.

    Raises:
        CheckpointError: no detector.
        ConfigError: an unknown mode, int8 without photos, a side that a fixed input cannot have, or the environment of
            the lane cannot be made.
        ExportError: a converter failed, or a file is too far from PyTorch, in pixels or in average precision.
    """
    checkpoint = Path(checkpoint)
    net, spec = load_detector(checkpoint)
    data = photos_of_run(checkpoint)
    described = describe_unmeasured(spec.anchors, data, decoded)
    train, held_out = ([], []) if data is None else split_photos(data.sets)
    jaws = [] if data is None else faces_with_jaw(data.paste)
    folder = Path(out) if out is not None else checkpoint.parent / "export"
    with tempfile.TemporaryDirectory(prefix="detector-files-") as name:
        shown = [read_image(photo.image) for photo in train[:_CALIBRATION_PHOTOS]]
        made = export_detector(
            net, name, stem, modes, shown, runtime, decoded=decoded, lane=lane, environment=environment
        )
        compared = [read_image(photo.image) for photo in held_out[:_PARITY_PHOTOS]] or generated_photos()
        files, exact = [], None
        for mode, path in made.files.items():
            parity = box_parity(net, path, spec.anchors, compared, described.size, _COMPARED_SCORE, described.decoded)
            if parity["mean_px"] > GATES[mode]:
                far = f"{parity['mean_px']:.3f} px from PyTorch, more than {GATES[mode]}"
                raise ExportError(f"{path.name}: corners of boxes are {far}; leave the mode {mode} out")
            file = describe(DetectorFile(path, parity), described, held_out, jaws)
            # The ONNX file, made first, stands for PyTorch: its corners have just been found within 0.01 px, and its
            # average precision is measured in any case.
            exact = file.ap if mode == "onnx" else exact
            files.append(require_precision(replace(file, torch_ap=exact), AP_GATES[mode], held_out))
        return [_publish(file, folder) for file in files]


def describe_unmeasured(
    anchors: AnchorConfig, data: PhotoDataConfig | None, decoded: int | None = None
) -> DetectorFileSpec:
    """Return the description of a detector before anything is measured; `data` are the photos of its run."""
    if decoded is not None:
        return DetectorFileSpec(anchors, decoded, decoded=True)
    return DetectorFileSpec(anchors) if data is None else DetectorFileSpec(anchors, data.val_size)


def require_precision(file: DetectorFile, gate: float, photos: Sequence[PhotoRecord]) -> DetectorFile:
    """Return a file whose average precision is at most `gate`, or what one face counts, below that of PyTorch.

    Raises:
        ExportError: it is lower.
    """
    if file.ap is None or file.torch_ap is None:
        return file
    # Rounding moves a face across the lowest score that counts; of few photos one face is more than the gate.
    faces = sum(int((~photo.ignored).sum()) for photo in photos)
    allowed = max(gate, 1 / max(faces, 1))
    if file.torch_ap - file.ap > allowed:
        lower = f"{file.ap:.3f} on the held-out photos, PyTorch's is {file.torch_ap:.3f}; {allowed:.3f} less is allowed"
        raise ExportError(f"{file.path.name}: average precision is {lower}; leave this mode out")
    return file


def describe(
    file: DetectorFile, spec: DetectorFileSpec, photos: Sequence[PhotoRecord], jaws: Sequence[FaceRecord]
) -> DetectorFile:
    """Choose the score of a file and calibrate its boxes, write its description, and return what was measured."""
    write_detector_sidecar(file.path, spec)
    matched = match_faces(RetinaFaceDetector(file.path, min_score=MATCHED_SCORE).precise, jaws) if jaws else None
    table = None if matched is None else fit_calibration(matched)
    if photos:
        find = RetinaFaceDetector(file.path, min_score=LOWEST).own_boxes
        found = match_photos(photos, find, (IOU,))[IOU]
        file = replace(file, ap=average_precision(found))
        if any(match.true.any() for match in found):
            best = best_score(found)
            file = replace(
                file, min_score=best["score"], precision=best["precision"], recall=best["recall"],
            )  # fmt: skip
    to_box = () if table is None else tuple(map(tuple, table.tolist()))
    write_detector_sidecar(file.path, replace(spec, min_score=file.min_score, to_box=to_box))
    return replace(file, calibrated=table is not None)


def faces_with_jaw(sets: Sequence[PasteSetConfig]) -> list[FaceRecord]:
    """Return up to 300 faces, at even distances, of the sets whose points include the jaw."""
    records = [
        record
        for given in sets
        for record in read_annotated(given.format, given.root, parse_subsets(given.subset), "five")
        if record.scheme in WITH_JAW
    ]
    return spread(records)


def generated_photos() -> list[Photo]:
    """Return photos with a generated face each, to compare outputs on where there are no others."""
    return [render_face(0, index, 320, 0.3).image for index in range(_GENERATED)]


def _publish(file: DetectorFile, folder: Path) -> DetectorFile:
    for source in (file.path, file.path.with_suffix(".json")):
        write_bytes(folder / source.name, source.read_bytes())
    return replace(file, path=folder / file.path.name)
