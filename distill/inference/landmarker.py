"""Run an exported model on photos: detect, crop, infer, and put the points back into the photo.

Needs numpy, OpenCV, Pillow and a TFLite runtime (or ONNX Runtime): no torch, no tensorflow. The submission package
ships this file.
"""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from distill.detection.detection import Detection
from distill.detection.detector import Detector, FaceDetector, as_detector
from distill.errors import ConfigError
from distill.geometry import Box, CropSpec, Points, apply_affine, crop_affine, denormalise, invert_affine
from distill.images import AnyPhoto, ScaledPhoto, read_scaled, warp_photo, whole_photo
from distill.inference.arrays import as_photo
from distill.inference.backend import Confidence
from distill.inference.confidence import MIN_CONFIDENCE, is_placed, require_share
from distill.inference.face import Face
from distill.inference.load import open_backend
from distill.inference.roll import MAX_ROLL, MORE_CROPS, bounds_the_face, eyes_of, require_max_roll, turned_crop
from distill.inference.track_config import DEFAULT_REDETECT, TrackConfig
from distill.inference.tracking import Tracker
from distill.landmarks import load_scheme
from distill.pretrained.registry import DEFAULT_MODEL

__all__ = ["Face", "Landmarker"]


class Landmarker:
    """Photo in, faces with landmarks out: `Landmarker()("photo.jpg")`.

    Attributes:
        spec: landmark scheme and crop of the model.
        min_confidence: faces below it are marked as not placed.
        max_roll: faces tilted further, in degrees, are cut out again, turned upright.
    """

    def __init__(
        self,
        model: str | Path = DEFAULT_MODEL,
        detector: Detector | str | Path | None = None,
        threads: int = 1,
        min_confidence: float = MIN_CONFIDENCE,
        max_roll: float = MAX_ROLL,
    ) -> None:
        """Load model and detector.

        Args:
            model: name of a released model (`distill models`), or a `.tflite` or `.onnx` file with its `.json` beside
                it, or a checkpoint, which needs torch.
            detector: finds the faces of a photo: the name or the file of a `FaceDetector`, which is the default, or a
                function of a photo, whose boxes are taken for those the model was trained on.
            threads: threads of every net.
            min_confidence: from which confidence of its landmarks on a face counts as placed, in [0, 1].
            max_roll: faces tilted further in the photo, in degrees, are cut out again, turned upright; 180 leaves all
                faces as they are.

        Raises:
            CheckpointError: see `open_backend`.
            ConfigError: a runtime or the detector's files are missing, a detector that cannot be called, a confidence
                outside [0, 1], or a roll outside [0, 180] or set for a model whose points have no eyes.
        """
        self.min_confidence = require_share("min_confidence", min_confidence)
        self._model = open_backend(model, threads)
        self.spec = self._model.spec
        self._detect = as_detector(detector, threads) or FaceDetector(threads=threads)
        self._crop = self.spec.detected_crop if isinstance(self._detect, FaceDetector) else self.spec.crop
        scheme = load_scheme(self.spec.scheme)
        self.max_roll, self._eyes = require_max_roll(max_roll, scheme), eyes_of(scheme)
        # Boxes of another detector may be of any kind that a model was trained on.
        self._tight = isinstance(self._detect, FaceDetector) and bounds_the_face(scheme)

    @property
    def gives_confidence(self) -> bool:
        """Whether the model gives the confidence of each point."""
        crop = np.zeros((1, self.spec.crop.size, self.spec.crop.size, 3), np.float32)
        return self._model.with_confidence(crop)[1] is not None

    @classmethod
    def from_pretrained(cls, name: str = DEFAULT_MODEL, **options: Any) -> "Landmarker":
        """Load a released model by its name, a file of it such as `efld_51_128_int8`, or `hf:OWNER/REPOSITORY/FILE`.

        Args:
            name: the file it stands for is compared with its published SHA-256.
            options: of the constructor.
        """
        return cls(name, **options)

    def __call__(self, photo: Any, bgr: bool = False) -> list[Face]:
        """Return the faces of a photo, best first; empty when there is none.

        Args:
            photo: an image file, a Pillow image, or an array as `distill.inference.arrays.as_photo` takes it.
            bgr: the channels of an array are in the order of OpenCV.

        Raises:
            ConfigError: `bgr` for something else than an array.
            ImageError: the file is missing or broken, or the array is no photo.
        """
        pixels = self._read(photo, bgr)
        detections = self._detect(pixels)  # type: ignore[arg-type]  # FaceDetector takes both
        return self._faces(pixels, detections)

    def _read(self, photo: Any, bgr: bool) -> AnyPhoto:
        """Return a photo; a large JPEG is decoded as needed where the detector can work with that."""
        scaled = read_scaled(photo) if isinstance(photo, str | Path) and not bgr else photo
        if not isinstance(scaled, ScaledPhoto):
            return as_photo(scaled, bgr)  # which refuses a path with `bgr`
        whole: AnyPhoto = scaled if isinstance(self._detect, FaceDetector) else whole_photo(scaled)
        return whole

    def tracker(self, config: TrackConfig | None = None) -> Tracker:
        """Return a function that is called with each frame of a video and follows its faces."""
        return Tracker(self._detect, self._faces, config or TrackConfig())

    def track(
        self,
        frames: Iterable[Any],
        rate: float = 25.0,
        redetect: int = DEFAULT_REDETECT,
        smooth: bool = True,
        bgr: bool = False,
    ) -> Iterator[list[Face]]:
        """Return an iterator over the frames of a video: the faces of each, with ids kept while they are followed.

        Args:
            frames: consecutive frames, each as `__call__` takes it.
            rate: frames per second, for the smoothing.
            redetect: frames after which the detector looks for new faces.
            smooth: filter the landmarks with a One-Euro filter, which lags behind motion.
            bgr: the channels of arrays are in the order of OpenCV.

        Raises:
            ImageError: see `__call__`.
            ConfigError: `redetect` below 1, `rate` not above 0 or infinite, or `bgr` for a frame that is no array.
        """
        if not 0 < rate < np.inf:
            raise ConfigError(f"rate {rate:g}: give the frames per second, a finite number above 0")
        tracker = self.tracker(TrackConfig(redetect, smooth))
        return (tracker(as_photo(frame, bgr), index / rate) for index, frame in enumerate(frames))

    def _faces(self, pixels: AnyPhoto, detections: Sequence[Detection]) -> list[Face]:
        """Return the faces in some boxes; those that are tilted are cut out again, turned upright."""
        faces = self._faces_in(pixels, detections)
        for _ in range(MORE_CROPS):
            turned = {index: self._turned(face) for index, face in enumerate(faces)}
            tilted = {index: crop for index, crop in turned.items() if crop is not None}
            if not tilted:
                break
            for index, face in zip(tilted, self._faces_in(pixels, list(tilted.values())), strict=True):
                faces[index] = face
        return faces

    def _turned(self, face: Face) -> Detection | None:
        return turned_crop(face, self._eyes, self.max_roll, self._tight)

    def _faces_in(self, pixels: AnyPhoto, detections: Sequence[Detection]) -> list[Face]:
        """Return the faces in some boxes; a model with a batch of several crops places as many at once."""
        found = list[tuple[Points, Confidence | None]]()
        for start in range(0, len(detections), self._model.batch):
            found += self._placed(pixels, detections[start : start + self._model.batch], self._crop)
        return [
            Face(
                detection.box, points, detection.score, confidence, is_placed(confidence, self.min_confidence),
                crop_roll=detection.roll,
            )
            for detection, (points, confidence) in zip(detections, found, strict=True)
        ]  # fmt: skip

    def landmarks(self, photo: AnyPhoto, box: Box, crop: CropSpec | None = None) -> Points:
        """Return the points (k, 2) of the face in `box`, in photo pixels; arguments as of `with_confidence`."""
        return self.with_confidence(photo, box, crop)[0]

    def with_confidence(
        self, photo: AnyPhoto, box: Box, crop: CropSpec | None = None
    ) -> tuple[Points, Confidence | None]:
        """Return the points (k, 2) of the face in `box`, in photo pixels, and their confidence (k,) if there is any.

        They are those of one crop, however the face is tilted.

        Args:
            photo: (h, w, 3) uint8 RGB, or a `ScaledPhoto`.
            box: in the convention of the training boxes.
            crop: how a box of another convention becomes the input.

        Raises:
            ConfigError: the box has no area.
        """
        return self._placed(photo, [Detection(box, 1.0)], crop or self.spec.crop)[0]

    def _placed(
        self, photo: AnyPhoto, detections: Sequence[Detection], crop: CropSpec
    ) -> list[tuple[Points, Confidence | None]]:
        """Return what `with_confidence` does for each of some boxes, from one call of the model."""
        for box in (detection.box for detection in detections):
            if not (box.width > 0 and box.height > 0):
                raise ConfigError(f"face box {tuple(box)} has no area; boxes are x0, y0, x1, y1 in pixels")
        size = self.spec.crop.size
        affines = [crop_affine(detection.box, crop, detection.roll) for detection in detections]
        points, confidence = self._model.with_confidence(
            np.stack([warp_photo(photo, affine, size) for affine in affines])
        )
        placed = [
            apply_affine(invert_affine(affine), denormalise(each, size, size))
            for affine, each in zip(affines, points, strict=True)
        ]
        return [(each, None if confidence is None else confidence[index]) for index, each in enumerate(placed)]
