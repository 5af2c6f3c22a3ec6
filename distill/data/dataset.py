"""Data set of augmented face crops; a sample depends only on (seed, epoch, index)."""

import signal
from collections.abc import Callable, Sequence
from typing import Any, NotRequired, TypedDict

import cv2
import numpy as np
import torch
from jaxtyping import Bool, Float, Int, UInt8
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset

from distill.data.augment import AugmentConfig, change_pixels, flip_points, pixel_pipeline, sample_affine
from distill.data.box_sources import DETECTOR
from distill.data.records import FaceRecord
from distill.data.shards.faces import ShardFaces
from distill.errors import AnnotationError
from distill.geometry import Box, CropSpec, apply_affine, invert_affine, normalise
from distill.images import Photo, read_image, warp
from distill.landmarks import load_scheme


class Target(TypedDict):
    """Annotation of a face in one scheme; the entries are those of a `FaceSample`."""

    landmarks: Float[Tensor, "k 2"]
    visible: Bool[Tensor, " k"]
    known: Bool[Tensor, " k"]


class FaceSample(TypedDict):
    """One face, cut out; batches hold the same with a leading batch dimension.

    image: uint8 RGB. landmarks: normalised to the crop. visible: as annotated; covering a point does not change it.
    known: where False the point is not annotated, and its position is undefined.
    box_size: width and height of the true face box, in sides of the crop; without one, of the box it was cut out by.
    to_photo: 2x3 affine from crop pixels to photo pixels. index: which record it is. round: which of its augmentations.
    Of a `MixedDataset` also, for the scheme of each head, targets: landmarks, known and visible as above; and weight:
    how much the face counts in supervised losses.
    """

    image: UInt8[Tensor, "3 size size"]
    landmarks: Float[Tensor, "k 2"]
    visible: Bool[Tensor, " k"]
    known: Bool[Tensor, " k"]
    box_size: Float[Tensor, "2"]
    to_photo: Float[Tensor, "2 3"]
    index: int | Int[Tensor, " b"]
    round: int | Int[Tensor, " b"]
    targets: NotRequired[dict[str, Target]]
    weight: NotRequired[Float[Tensor, ""]]


class FaceDataset(Dataset[FaceSample]):
    """Crops of annotated faces.

    Args:
        records: the faces, as a list or of shards; they are converted to `scheme`.
        crop: how a face box becomes a crop.
        scheme: landmark scheme of the samples.
        augment: how to change the faces; None leaves them as they are.
        boxes: sources of the face boxes; with several, each sample draws one of those its face has.
        seed: of the augmentation.
        cache: decode all photos now and keep them in memory (w * h * 3 bytes each), for small data sets and slow disks;
            photos of shards are never kept.
        rounds: number of augmentation rounds: epoch e repeats epoch e modulo `rounds`, so that cached teacher outputs
            can be reused; 0 never repeats augmentations.
        detector_crop: how a `detector` box becomes a crop; None: as the others do.

    A key is (epoch, index), or an index alone, which is epoch 0.

    Raises:
        AnnotationError: no faces, or a face without a box of these sources.
        ConfigError: points that cannot be converted to `scheme`.
        ImageError: on access (with `cache`, at once), a photo that cannot be read.
    """

    def __init__(
        self,
        records: Sequence[FaceRecord],
        crop: CropSpec,
        scheme: str,
        augment: AugmentConfig | None = None,
        boxes: Sequence[str] = ("gt",),
        seed: int = 0,
        cache: bool = False,
        rounds: int = 0,
        detector_crop: CropSpec | None = None,
    ) -> None:
        if not records:
            raise AnnotationError("no faces to make a data set of: choose another subset or split")
        without = [records[index] for index in np.flatnonzero(~_have_box(records, boxes))]
        if without:
            sources = " or ".join(boxes)
            counts = f"{len(without)} of {len(records)}"
            raise AnnotationError(f"{counts} faces have no {sources} box, '{without[0].name}' among them: use gt boxes")
        self.records: Sequence[FaceRecord]
        if isinstance(records, ShardFaces):
            self.records = records.in_scheme(scheme)
            self._read: Callable[[FaceRecord], Photo] = records.read_photo
            cache = False
        else:
            self.records = [record.in_scheme(scheme) for record in records]
            self._read = _read_file
        self.crop = crop
        self.detector_crop = detector_crop or crop
        self.scheme = load_scheme(scheme)
        self.augment = augment
        self.boxes = tuple(boxes)
        self.seed = seed
        self.rounds = rounds
        self._pipeline = pixel_pipeline(augment) if augment else None
        self._photos = {path: read_image(path) for path in {r.image for r in records}} if cache else {}

    def __len__(self) -> int:
        return len(self.records)

    def _photo(self, record: FaceRecord) -> Photo:
        cached = self._photos.get(record.image)
        return self._read(record) if cached is None else cached

    def _box(self, record: FaceRecord, rng: np.random.Generator) -> tuple[Box, CropSpec]:
        """One of the face's boxes, and how to cut it out."""
        sources = [source for source in self.boxes if source in record.boxes]
        source = sources[rng.integers(len(sources))]
        return record.boxes[source], self.detector_crop if source == DETECTOR else self.crop

    def __getitem__(self, key: int | tuple[int, int]) -> FaceSample:
        epoch, index = (0, key) if isinstance(key, int) else key
        record = self.records[index]
        augmentation_round = epoch % self.rounds if self.rounds else epoch
        rng = np.random.default_rng([self.seed, augmentation_round, index])
        box, crop_spec = self._box(record, rng)
        affine, flipped = sample_affine(box, crop_spec, self.augment or _UNCHANGED, rng)
        crop = change_pixels(warp(self._photo(record), affine, self.crop.size), self._pipeline, rng)
        points = apply_affine(affine, record.landmarks)
        flags = np.stack([record.visible, record.known], 1)
        if flipped:
            points, flags = flip_points(points, flags, self.scheme)
        true_box = record.boxes.get("gt", box)
        sides = np.hypot(*affine[:, 0]) / self.crop.size
        return {
            "image": torch.from_numpy(np.ascontiguousarray(crop.transpose(2, 0, 1))),
            "landmarks": torch.from_numpy(normalise(points, self.crop.size, self.crop.size)),
            "visible": torch.from_numpy(flags[:, 0].copy()),
            "known": torch.from_numpy(flags[:, 1].copy()),
            "box_size": torch.tensor([true_box.width * sides, true_box.height * sides], dtype=torch.float32),
            "to_photo": torch.from_numpy(invert_affine(affine).astype(np.float32)),
            "index": index,
            "round": augmentation_round,
        }


_UNCHANGED = AugmentConfig.none()


def _have_box(records: Sequence[FaceRecord], sources: Sequence[str]) -> NDArray[np.bool_]:
    """Return for each face whether it has a box of one of these sources."""
    if isinstance(records, ShardFaces):
        return records.has_box(sources)
    return np.array([any(source in record.boxes for source in sources) for record in records])


def _read_file(record: FaceRecord) -> Photo:
    return read_image(record.image)


def init_worker(worker: int, *_: Any) -> None:
    """Give to `DataLoader(worker_init_fn=...)`: one thread per worker, as more threads would compete for the cores.

    Schedulers send SIGTERM to all processes of a job. A worker outlives the first, because the training process saves
    its last step and then ends its workers; a worker that died before would be an error in the middle of a step.
    """
    del worker
    signal.signal(signal.SIGTERM, lambda number, frame: signal.signal(number, signal.SIG_DFL))
    cv2.setNumThreads(0)
    torch.set_num_threads(1)
