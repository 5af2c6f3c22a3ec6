"""Release a trained face detector: export, calibration, threshold, and the files in their places.

    python -m scripts.release_detector CHECKPOINT DATA [--modes fp16 int8] [--average FILE=SHARE …]
    python -m scripts.release_detector CHECKPOINT DATA --teacher NAME
    python -m scripts.studies.detectors DATA

CHECKPOINT is `best.ckpt` of `distill detector`; DATA holds the folders `300W` and `mask_boxes`. The calibration is
fitted on training faces of 300-W, the operating score chosen on half of the photos that the training held out; the
other half is measured here and in the study (the training chose the checkpoint on both). Writes the weights to
checkpoints/, the files of `--modes` with their descriptions to distill/detection/models/, and
results/checks/retinaface_035.json; files and results of other modes stay as they are. With `--average` the weights are
the mean of several trainings that went on from the same weights, CHECKPOINT with the share that the others leave.
With `--teacher` it only writes checkpoints/NAME.safetensors, in half precision, for `distill detector --teacher`.
"""

import argparse
import json
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from distill.data.photos.build import photo_hash
from distill.data.photos.records import PhotoRecord
from distill.detection.blazeface import BlazeFaceDetector
from distill.detection.detection import Detector
from distill.detection.detector import bundled_detector
from distill.detection.metrics import average_precision
from distill.detection.retinaface.detector import RetinaFaceDetector
from distill.detection.retinaface.net import RetinaFace
from distill.detection.retinaface.sidecar import DetectorFileSpec
from distill.export.detector import DetectorExport, box_parity, export_detector
from distill.export.detector_calibration import best_score
from distill.export.detector_checkpoint import DetectorFile, describe
from distill.files import sha256, write_bytes, write_text
from distill.images import read_image
from distill.metrics.detection import match_photos
from distill.models.detector_checkpoint import DetectorSpec, load_detector, save_detector
from distill.provenance import write_result
from scripts.generate.released_files import write_table
from scripts.studies.common.detector_photos import MaskBoxes, mask_boxes
from scripts.studies.common.detector_scores import IOU_AP, LOWEST
from scripts.studies.common.training_faces import training_faces

NAME = "retinaface_035"
CHECKPOINTS = Path("checkpoints")
WEIGHTS = CHECKPOINTS / f"{NAME}.safetensors"
REPORT = f"results/checks/{NAME}.json"
RELEASED = ("fp16", "int8")
SIZE = 320  # chosen by scripts/studies/detector_sizes.py
CHECKED_FACES = 200
CALIBRATION_PHOTOS = 100
PARITY_PHOTOS = 20


def convention(data: Path, detector: Detector) -> dict[str, float]:
    """Return how the boxes of `CHECKED_FACES` training faces lie to the tight boxes of their points.

    Returns:
        `found`, and in units of the longer side the mean offset in x and y, its root mean square, and the mean and the
        standard deviation of the logarithm of the size.
    """
    rows = []
    for record in training_faces(data, CHECKED_FACES):
        box, photo = record.boxes["gt"], read_image(record.image)
        longer = max(box.width, box.height)
        near = [
            (*np.subtract(face.box.centre, box.centre) / longer, np.log(max(face.box.width, face.box.height) / longer))
            for face in detector(photo)
        ]
        near = sorted((row for row in near if np.hypot(row[0], row[1]) < 0.5), key=lambda row: np.hypot(row[0], row[1]))
        rows += near[:1]
    values = np.array(rows)
    return {
        "found": len(values),
        "x": float(values[:, 0].mean()),
        "y": float(values[:, 1].mean()),
        "offset_rms": float(np.sqrt(np.square(values[:, :2]).sum(axis=1).mean())),
        "log_size": float(values[:, 2].mean()),
        "log_size_sd": float(values[:, 2].std()),
    }


def found_on(photos: Sequence[PhotoRecord], path: Path) -> dict[str, Any]:
    """Return AP and the score of the highest F1 (IoU 0.5) on photos, and precision and recall there."""
    detector = RetinaFaceDetector(path, min_score=LOWEST)
    found = match_photos(photos, detector.own_boxes, (IOU_AP,))[IOU_AP]
    return {**best_score(found), "ap": average_precision(found), "photos": len(found)}


def described(path: Path, data: Path, spec: DetectorFileSpec, photos: MaskBoxes) -> dict[str, Any]:
    """Calibrate a TFLite file, choose its score, write its description and return what was measured."""
    file = describe(DetectorFile(path, {}), spec, photos.chosen_on, training_faces(data))
    if not file.calibrated:
        raise SystemExit(f"{path}: finds no training face of 300-W")
    return {
        "bytes": path.stat().st_size,
        "chosen_on": {
            "score": file.min_score,
            "precision": file.precision,
            "recall": file.recall,
            "ap": file.ap,
            "photos": len(photos.chosen_on),
        },
        "measured_on": found_on(photos.measured_on, path),
        "boxes_300w_train": convention(data, RetinaFaceDetector(path)),
    }


def install(files: Iterable[Path]) -> None:
    """Put TFLite files and their descriptions in their places and renew the lists of released files."""
    for path in files:
        for source in (path, path.with_suffix(".json")):
            write_bytes(bundled_detector().with_name(source.name), source.read_bytes())
    list_files()


def list_files() -> None:
    """Renew the lists of released files and their hashes."""
    released = sorted(p for p in CHECKPOINTS.iterdir() if p.suffix in (".safetensors", ".tflite", ".json"))
    write_text(CHECKPOINTS / "SHA256SUMS", "".join(f"{sha256(path)}  {path.name}\n" for path in released))
    write_table()


def averaged(checkpoint: Path, others: Mapping[Path, float]) -> tuple[RetinaFace, DetectorSpec]:
    """Return a detector with the weighted mean of several weights: `checkpoint` has the share that the others leave.

    Source: Wortsman et al., Model soups: averaging weights of multiple fine-tuned models improves accuracy without
    increasing inference time, ICML 2022, arXiv 2203.05482.

    Raises:
        ValueError: shares are not positive or leave none, or the networks differ.
    """
    rest = 1 - sum(others.values())
    if min([rest, *others.values()]) <= 0:
        raise ValueError(f"shares {list(others.values())} must be positive with a sum below 1")
    net, spec = load_detector(checkpoint)
    mean = {name: rest * value if value.is_floating_point() else value for name, value in net.state_dict().items()}
    for path, share in others.items():
        other, its_spec = load_detector(path)
        if its_spec != spec:
            raise ValueError(f"{path}: another network than {checkpoint}")
        for name, value in other.state_dict().items():
            if value.is_floating_point():
                mean[name] = mean[name] + share * value
    net.load_state_dict(mean)
    return net, spec


def release(checkpoint: Path, data: Path, modes: Sequence[str], others: Mapping[Path, float]) -> dict[str, Any]:
    """Make the files of some modes and return what was measured."""
    net, trained = averaged(checkpoint, others)
    photos = mask_boxes(data)
    spec = DetectorFileSpec(anchors=trained.anchors, size=SIZE)
    with tempfile.TemporaryDirectory(prefix="release-") as name:
        folder = Path(name)
        ranges = [read_image(photo.image) for photo in photos.train[:CALIBRATION_PHOTOS]]
        made: DetectorExport = export_detector(net, folder, NAME, ("fp32", *modes), ranges)
        shown = [read_image(photo.image) for photo in photos.measured_on[:PARITY_PHOTOS]]
        parity = {mode: box_parity(net, path, trained.anchors, shown, SIZE, 0.5) for mode, path in made.files.items()}
        measured = {mode: described(made.files[mode], data, spec, photos) for mode in modes}
        if others or checkpoint.resolve() != WEIGHTS.resolve():
            save_detector(WEIGHTS, net, trained)
        install([made.files[mode] for mode in modes])
    return {
        "weights": {
            "file": checkpoint.name,
            "parameters": sum(value.numel() for value in net.parameters()),
            "averaged_with": [{"sha256": sha256(path), "share": share} for path, share in others.items()],
        },
        "files": measured,
        "data_hash": photo_hash(photos.measured_on),
        "parity": parity,
        "min_runtime": {mode: report.min_runtime for mode, report in made.ops.items()},
        "boxes_300w_train_blazeface": convention(data, BlazeFaceDetector()),
    }


def release_teacher(checkpoint: Path, name: str) -> None:
    """Write the weights of a detector to checkpoints/, in half precision."""
    net, trained = load_detector(checkpoint)
    save_detector(CHECKPOINTS / f"{name}.safetensors", net.half(), trained)
    list_files()


def with_other_modes(result: dict[str, Any], former: dict[str, Any]) -> dict[str, Any]:
    """Return a result with the entries of a former one about modes that were not made now."""
    by_mode = ("files", "parity", "min_runtime")
    return result | {part: former.get(part, {}) | result[part] for part in by_mode}


def main() -> None:
    """Release a checkpoint."""
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("data", type=Path)
    parser.add_argument("--modes", nargs="+", choices=RELEASED, default=list(RELEASED))
    parser.add_argument("--average", nargs="+", default=[], metavar="FILE=SHARE", help="weights to average with")
    parser.add_argument("--teacher", metavar="NAME", help="only write checkpoints/NAME.safetensors")
    options = parser.parse_args()
    if options.teacher is not None:
        if options.average:
            parser.error("--average has no effect with --teacher: leave one of them out")
        release_teacher(options.checkpoint, options.teacher)
        return
    shares = {Path(path): float(share) for path, _, share in (text.rpartition("=") for text in options.average)}
    result = release(options.checkpoint, options.data, options.modes, shares)
    former = json.loads(Path(REPORT).read_text()) if Path(REPORT).is_file() else {}
    write_result(REPORT, with_other_modes(result, former))
    print(result)


if __name__ == "__main__":
    main()
