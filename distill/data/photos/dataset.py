"""Data sets of photos: training scenes as a function of (seed, epoch, index), and whole validation photos."""

from collections.abc import Sequence
from typing import TypedDict

import cv2
import numpy as np
import torch
from jaxtyping import Bool, Float, UInt8
from torch import Tensor
from torch.utils.data import Dataset

from distill.data.augment import AugmentConfig, change_pixels, pixel_pipeline
from distill.data.photos.config import SceneConfig
from distill.data.photos.paste import PasteFace, paste
from distill.data.photos.records import PhotoRecord
from distill.data.photos.scene import Scene, cut, ignored_beyond_edges, mosaic, sample_square
from distill.data.sampler import Key
from distill.errors import ConfigError
from distill.images import Photo, read_image

# Crops along a side of a mosaic; that of 2 is twice as frequent.
_MOSAICS = (2, 2, 4)


class PhotoSample(TypedDict):
    """One training image.

    Attributes:
        image: (3, s, s) uint8 RGB.
        boxes: (k, 4), x0, y0, x1, y1 in pixels of the image.
        ignored: (k,).
        points: (k, 5, 2), NaN where a face has none.
    """

    image: UInt8[Tensor, "3 s s"]
    boxes: Float[Tensor, "k 4"]
    ignored: Bool[Tensor, " k"]
    points: Float[Tensor, "k 5 2"]


class PhotoBatch(TypedDict):
    """Images of one size as one tensor, and the labels of each."""

    image: UInt8[Tensor, "b 3 s s"]
    boxes: list[Tensor]
    ignored: list[Tensor]
    points: list[Tensor]


def collate(samples: Sequence[PhotoSample]) -> PhotoBatch:
    """Stack the images of a batch; the numbers of faces differ, so labels stay lists."""
    return {
        "image": torch.stack([sample["image"] for sample in samples]),
        "boxes": [sample["boxes"] for sample in samples],
        "ignored": [sample["ignored"] for sample in samples],
        "points": [sample["points"] for sample in samples],
    }


class SceneDataset(Dataset[PhotoSample]):
    """Training images, composed differently in every epoch; an image depends on (seed, epoch, index) alone.

    Photos are decoded once and kept in memory.

    Args:
        photos: records; may be empty of faces.
        faces: to be pasted.
        scene: how an image is composed.
        seed: of everything random.
        longest: photos are scaled down to at most this many pixels on the longer side.

    Raises:
        ConfigError: no photo.
    """

    def __init__(
        self, photos: Sequence[PhotoRecord], faces: Sequence[PasteFace], scene: SceneConfig, seed: int, longest: int
    ):
        if not photos:
            raise ConfigError("no training photo; give --data.sets")
        self.scenes = [load_scene(photo, longest) for photo in photos]
        self.faces, self.config, self.seed = list(faces), scene, seed
        self.pipeline = pixel_pipeline(AugmentConfig(occlusion=0.0, pixels=scene.pixels))

    def __len__(self) -> int:
        return len(self.scenes)

    def __getitem__(self, key: Key) -> PhotoSample:
        epoch, index = key
        rng = np.random.default_rng([self.seed, epoch, index])
        config = self.config
        if rng.random() < config.mosaic:
            per_row = int(rng.choice(_MOSAICS))
            others = rng.integers(len(self.scenes), size=per_row**2 - 1)
            scene = mosaic([self._crop(int(i), config.size // per_row, rng) for i in (index, *others)])
        else:
            scene = self._crop(index, config.size, rng)
        if self.faces and rng.random() < config.paste:
            chosen = rng.integers(len(self.faces), size=int(rng.integers(1, config.pasted + 1)))
            scene = paste(scene, [self.faces[int(i)] for i in chosen], config, rng)
        scene = ignored_beyond_edges(scene)
        image = change_pixels(scene.image, self.pipeline, rng)
        return {
            "image": torch.from_numpy(np.ascontiguousarray(image.transpose(2, 0, 1))),
            "boxes": torch.from_numpy(scene.boxes),
            "ignored": torch.from_numpy(scene.ignored),
            "points": torch.from_numpy(scene.points),
        }

    def _crop(self, index: int, size: int, rng: np.random.Generator) -> Scene:
        scene = self.scenes[index]
        square = sample_square(scene, size, self.config, rng)
        flip = bool(rng.random() < self.config.flip)
        fill = int(rng.integers(256))
        return cut(scene, square, size, flip, fill, self.config.ignore_below)


class PhotoDataset(Dataset[int]):
    """Validation photos in order; an item is its index, as photos of different sizes make no batch."""

    def __init__(self, photos: Sequence[PhotoRecord], longest: int):
        self.scenes = [load_scene(photo, longest) for photo in photos]

    def __len__(self) -> int:
        return len(self.scenes)

    def __getitem__(self, index: int) -> int:
        return index


def load_scene(photo: PhotoRecord, longest: int) -> Scene:
    """Read a photo and scale it down, with its labels, to at most `longest` pixels on the longer side."""
    image: Photo = read_image(photo.image)
    height, width = image.shape[:2]
    if max(height, width) <= longest:
        return Scene(image, photo.boxes, photo.ignored, photo.points)
    factor = longest / max(height, width)
    size = max(1, round(width * factor)), max(1, round(height * factor))
    scale = np.array([size[0] / width, size[1] / height], np.float32)
    image = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    boxes = (photo.boxes + 0.5) * np.tile(scale, 2) - 0.5
    points = (photo.points + 0.5) * scale - 0.5
    return Scene(image, boxes.astype(np.float32), photo.ignored, points.astype(np.float32))
