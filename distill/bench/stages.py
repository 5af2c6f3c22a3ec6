"""Latency of the stages of a photo besides the network: detector, crop, and the whole pipeline."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from distill.bench.latency import Call
from distill.bench.models import TimedModel
from distill.detection.detector import FaceDetector
from distill.errors import ConfigError
from distill.geometry import Box, CropSpec, crop_affine
from distill.images import Photo, read_image, warp
from distill.inference.landmarker import Landmarker
from distill.spec import read_sidecar
from distill.tflite.integrity import has_landmark_sidecar

_PHOTO_SIDE = 640


def bench_photo(path: Path | None) -> tuple[Photo, str]:
    """Return the photo to run on and what to call it; without a path, a face rendered by `distill.data.synthetic`.

    Raises:
        ImageError: missing or broken file.
    """
    if path is not None:
        photo, name = read_image(path), path.name
    else:
        from distill.data.synthetic import render_face

        photo, name = render_face(0, 0, _PHOTO_SIDE, 0.0).image, "generated face"
    return photo, f"{name}, {photo.shape[1]}x{photo.shape[0]} px"


def photo_calls(models: Sequence[TimedModel], photo: Photo, threads: int) -> tuple[dict[tuple[str, str], Call], int]:
    """Return calls by (model or step, stage) that run parts of the pipeline from photo to landmarks, and the faces.

    Stages: `detector`, everything `FaceDetector` does; `crop`, one crop as floats; `photo`, detector, crops, network
    and points back in the photo, for every face in it. The last only for .tflite and .onnx files of ours.

    Raises:
        ConfigError: the detector's nets are not installed, or no face is in the photo.
    """
    detector = FaceDetector(threads=threads)
    faces = detector(photo)
    if not faces:
        raise ConfigError("no face found in the photo to time; give another one with --photo")
    calls: dict[tuple[str, str], Call] = {("FaceDetector", "detector"): lambda: detector(photo)}
    for model in models:
        if model.path.suffix not in (".tflite", ".onnx") or not has_landmark_sidecar(model.path):
            continue
        crop = read_sidecar(model.path).detected_crop
        calls.setdefault((f"crop to {crop.size} px", "crop"), _crop_call(photo, faces[0].box, crop))
        calls[model.name, "photo"] = _photo_call(Landmarker(model.path, detector, threads), photo)
    return calls, len(faces)


def _crop_call(photo: Photo, box: Box, crop: CropSpec) -> Call:
    return lambda: warp(photo, crop_affine(box, crop), crop.size).astype(np.float32) / 255


def _photo_call(landmarker: Landmarker, photo: Photo) -> Call:
    return lambda: landmarker(photo)
