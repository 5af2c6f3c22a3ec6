"""Measure a face detector on photos with boxes: average precision, recall by size, false boxes, five-point error."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import track

from distill.data.photos.build import photo_hash, read_photos
from distill.data.photos.config import PhotoSetConfig
from distill.data.photos.records import PhotoRecord, hold_out
from distill.data.photos.stored_config import photos_of_run
from distill.data.photos.wider_difficulty import read_difficulties
from distill.detection.blazeface import BlazeFaceDetector
from distill.detection.detector import BLAZEFACE_SCORE, DETECTORS, bundled_detector, open_detector
from distill.detection.metrics import iou_matrix, match_photo
from distill.detection.retinaface.detector import MapDetector
from distill.detection.third_party.detector import ThirdPartyDetector
from distill.detection.wider_evaluation import DIFFICULTIES, WiderPhoto, official_average_precision
from distill.errors import ConfigError
from distill.evaluate.detector_result import IOU, LOWEST, DetectorEvaluation, DetectorProtocol
from distill.export.detector import TorchMaps
from distill.export.detector_checkpoint import describe_unmeasured
from distill.files import CHECKPOINT_SUFFIXES, sha256
from distill.images import Photo, read_image
from distill.models.detector_checkpoint import load_detector

AnyDetector = MapDetector | ThirdPartyDetector | BlazeFaceDetector


class Found(NamedTuple):
    """Detections of a photo, best first.

    Attributes:
        boxes: (d, 4), x0, y0, x1, y1 in pixels of the photo.
        scores: (d,).
        points: (d, 5, 2); None for a detector without points.
    """

    boxes: NDArray[np.float64]
    scores: NDArray[np.float64]
    points: NDArray[np.float64] | None


def evaluate_detector(
    model: str | Path,
    photos: Sequence[PhotoSetConfig] = (),
    *,
    size: int | None = None,
    limit: int | None = None,
    progress: bool = True,
) -> DetectorEvaluation:
    """Measure a detector on photos with boxes.

    RetinaFace is measured by its own boxes, which follow the convention of the boxes it was trained on; those that a
    prediction uses are tight around the 68 landmarks. So are files of other projects. BlazeFace has calibrated boxes
    only.

    Args:
        model: `retinaface`, `retinaface_int8`, `blazeface`, a RetinaFace file (.tflite or .onnx with its .json, .ckpt
            or .safetensors), or a .tflite or .onnx file of another project.
        photos: what to measure on; of a set with `hold_out` only the photos that it holds out. By default those that
            the training of this run held out.
        size: longest side of the input in pixels, a multiple of 32; by default that of the file.
        limit: at most this many photos, evenly spread.
        progress: show a bar on standard error.

    Raises:
        ConfigError: no photos, or an option that the detector does not have.
        AnnotationError, ImageError, CheckpointError: an invalid file.
    """
    if any(given.repeat != 1 for given in photos):
        raise ConfigError("--photos: repeat has no effect on a measurement; leave it out")
    sets = list(photos) or sets_of_run(model)
    records = _spread([photo for given in sets for photo in chosen_photos(given)], limit)
    detector, text = _opened(model, size), f"Measuring {len(records)} photos"
    shown = track(records, description=text, console=Console(stderr=True), disable=not progress)
    found = [_find(detector, read_image(record.image)) for record in shown]
    operating = BLAZEFACE_SCORE if isinstance(detector, BlazeFaceDetector) else detector.operating_score
    matches = tuple(
        match_photo(faces.boxes, faces.scores, record.boxes, record.ignored, IOU)
        for record, faces in zip(records, found, strict=True)
    )
    errors = [_point_errors(record, faces, operating) for record, faces in zip(records, found, strict=True)]
    return DetectorEvaluation(
        model=Path(model).name,
        protocol=_protocol(detector, model, sets, records),
        score=operating,
        matches=matches,
        point_errors=np.concatenate([np.zeros((0, 5)), *errors]),
        official=_official(sets, records, found),
    )


def sets_of_run(model: str | Path) -> list[PhotoSetConfig]:
    """Return the sets that the run of a checkpoint, or of a file exported from it, held photos out of.

    Raises:
        ConfigError: the file lies in no run.
    """
    path = Path(model)
    data = photos_of_run(path.parent if path.parent.name == "export" else path)
    if data is None:
        raise ConfigError(
            f"{model}: name photos with boxes to measure on: --photos '[{{labels: FILE, images: FOLDER}}]'"
        )
    return [given for given in data.sets if given.hold_out]


def chosen_photos(given: PhotoSetConfig) -> list[PhotoRecord]:
    """Return the photos of a set that are measured: all of them, or those that it holds out."""
    photos = read_photos(given)
    return hold_out(photos, given.hold_out)[1] if given.hold_out else photos


def _spread(photos: list[PhotoRecord], limit: int | None) -> list[PhotoRecord]:
    if not photos:
        raise ConfigError("--photos: no photo in these sets; name others, or a smaller hold_out")
    if limit is not None and limit < 1:
        raise ConfigError(f"limit {limit} leaves no photo to measure; give 1 or more")
    indices = np.linspace(0, len(photos) - 1, min(len(photos), limit or len(photos)))
    return [photos[int(index)] for index in indices]


def _opened(model: str | Path, size: int | None) -> AnyDetector:
    """Open a detector that returns everything down to the lowest score; weights run in PyTorch."""
    if Path(model).suffix in CHECKPOINT_SUFFIXES:
        net, spec = load_detector(model)
        described = describe_unmeasured(spec.anchors, photos_of_run(Path(model)))
        return MapDetector(TorchMaps(net), described, size, LOWEST)
    detector = open_detector(model, min_score=LOWEST, size=size)
    assert isinstance(detector, AnyDetector)
    return detector


def _find(detector: AnyDetector, photo: Photo) -> Found:
    if not isinstance(detector, BlazeFaceDetector):
        found = detector.find(photo)
        return Found(found.boxes, found.scores, found.points if found.points.shape[1] else None)
    faces = detector(photo)
    return Found(np.array([face.box for face in faces]).reshape(-1, 4), np.array([face.score for face in faces]), None)


def _protocol(
    detector: AnyDetector,
    model: str | Path,
    sets: Sequence[PhotoSetConfig],
    records: Sequence[PhotoRecord],
) -> DetectorProtocol:
    size = None if isinstance(detector, BlazeFaceDetector) else detector.size
    path = bundled_detector(str(model)) if size is not None and str(model) in DETECTORS else Path(model)
    return DetectorProtocol(
        sets=tuple(str(given.labels) for given in sets),
        photos=len(records),
        faces=sum(int((~record.ignored).sum()) for record in records),
        ignored=sum(int(record.ignored.sum()) for record in records),
        data_hash=photo_hash(records),
        boxes="calibrated" if size is None else "own",
        size=size,
        model_sha256=sha256(path) if path.is_file() else None,
    )


def _point_errors(record: PhotoRecord, found: Found, score: float) -> NDArray[np.float64]:
    """Return the errors (m, 5) of the points of faces found, in parts of the square root of the face's area.

    As in RetinaFace's paper; a face belongs to the best detection that overlaps it most, by at least `IOU`.
    """
    labelled = np.flatnonzero(np.isfinite(record.points).all(axis=(1, 2)) & ~record.ignored)
    kept = np.flatnonzero(found.scores >= score)
    if found.points is None or not len(labelled) or not len(kept):
        return np.zeros((0, 5))
    overlap = iou_matrix(found.boxes[kept], record.boxes.astype(np.float64))
    best, errors = overlap.argmax(axis=1), []
    for face in labelled:
        hits = np.flatnonzero((best == face) & (overlap[:, face] >= IOU))
        if len(hits):
            detection = kept[hits[found.scores[kept[hits]].argmax()]]
            width, height = record.boxes[face, 2:] - record.boxes[face, :2]
            distance = np.linalg.norm(found.points[detection] - record.points[face], axis=1)
            errors.append(distance / np.sqrt(float(width) * float(height)))
    return np.array(errors).reshape(-1, 5)


def _official(
    sets: Sequence[PhotoSetConfig], records: Sequence[PhotoRecord], found: Sequence[Found]
) -> dict[str, float]:
    """Return WIDER FACE's official average precision by difficulty; empty where its files are not there."""
    if not (len(sets) == 1 and sets[0].format == "wider_mat"):
        return {}
    faces = read_difficulties(sets[0].labels)
    if not faces:
        return {}
    corner = np.array([0.5, 0.5])  # the first pixel of a box is half a pixel inside its edge
    result = {}
    for difficulty in DIFFICULTIES:
        photos = [
            WiderPhoto(
                np.hstack([here.boxes[:, :2] + corner, here.boxes[:, 2:] - here.boxes[:, :2]]),
                here.scores, faces[record.name].boxes, faces[record.name].counted[difficulty],
            )
            for record, here in zip(records, found, strict=True)
        ]  # fmt: skip
        result[difficulty] = official_average_precision(photos)
    return result
