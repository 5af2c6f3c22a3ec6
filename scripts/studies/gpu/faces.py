"""Packed faces as tensors on a device, and batches of augmented crops of them."""

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from distill.data.augment import AugmentConfig
from distill.data.pack import PackedFaces, decoded
from distill.geometry import CropSpec
from distill.landmarks import load_scheme
from scripts.studies.gpu.augment import (
    affines,
    change_colours,
    cover,
    crop_squares,
    move_points,
    sample_squares,
    warp_batch,
)


@dataclass
class Batch:
    """Augmented crops.

    Attributes:
        images: (b, 3, size, size) in [0, 1].
        landmarks: (b, k, 2), normalised to the crops.
        known: (b, k), which of them are annotated.
        box_size: (b, 2), sides of the face boxes, normalised to the crops.
        matrices: (b, 2, 3), from stored pixels to pixels of the crops.
        targets: (b, k, 2), landmarks that a teacher predicted, normalised to the crops; None without a teacher.
    """

    images: Tensor
    landmarks: Tensor
    known: Tensor
    box_size: Tensor
    matrices: Tensor
    targets: Tensor | None


class DeviceFaces:
    """All packed faces in the memory of a device.

    Args:
        packed: the faces.
        size: side in pixels that stored crops are resized to.
        device: where they are kept: size * size * 3 bytes per face.
    """

    def __init__(self, packed: PackedFaces, size: int, device: torch.device):
        images = np.empty((len(packed.images), 3, size, size), np.uint8)
        factors = np.empty(len(packed.images), np.float32)

        def fill(index: int) -> None:
            pixels, factors[index] = decoded(packed.images[index], size)
            images[index] = pixels.transpose(2, 0, 1)

        with ThreadPoolExecutor(os.cpu_count()) as pool:
            list(pool.map(fill, range(len(images))))
        grown = factors[:, None, None]
        # Pixel centres are integers, so coordinates grow from the edge at -0.5.
        self.landmarks = torch.from_numpy((packed.landmarks + 0.5) * grown - 0.5).to(device)
        self.boxes = torch.from_numpy((packed.boxes + 0.5) * factors[:, None] - 0.5).to(device)
        self.images = torch.from_numpy(images).to(device)
        self.known = torch.from_numpy(packed.known).to(device)
        self.targets: Tensor | None = None
        self.crop, self.device = packed.crop, device
        self.order = torch.tensor(load_scheme(packed.scheme).flip, device=device)

    def batch(
        self,
        indices: Tensor,
        size: int,
        augment: AugmentConfig | None,
        generator: torch.Generator | None = None,
    ) -> Batch:
        """Return crops of `size` pixels; without augmentation they are those that a model is measured on."""
        squares = crop_squares(self.boxes[indices], CropSpec(size, self.crop.scale, self.crop.shift_y))
        radians = torch.zeros(len(indices), device=self.device)
        flip = torch.zeros(len(indices), dtype=torch.bool, device=self.device)
        if augment is not None:
            squares, radians, flip = sample_squares(squares, augment, generator)
        # Twice as many pixels and their mean where the crop is much smaller than what it shows: no aliasing.
        factor = 2 if self.images.shape[-1] * 0.6 > 1.5 * size else 1
        fine = affines(squares, radians, flip, size * factor)
        images = warp_batch(self.images[indices], fine, size * factor)
        if factor > 1:
            images = torch.nn.functional.avg_pool2d(images, factor)
        matrices = affines(squares, radians, flip, size)

        def moved(landmarks: Tensor) -> Tensor:
            points = move_points(landmarks[indices], matrices, size)
            return torch.where(flip[:, None, None], points[:, self.order], points)

        known = self.known[indices]
        known = torch.where(flip[:, None], known[:, self.order], known)
        if augment is not None:
            images = change_colours(cover(images, augment.occlusion, generator), augment.pixels, generator)
        boxes = self.boxes[indices]
        sides = (boxes[:, 2:] - boxes[:, :2]) / squares[:, :1]
        targets = None if self.targets is None else moved(self.targets)
        return Batch(images, moved(self.landmarks), known, sides, matrices, targets)

    @staticmethod
    def stored(landmarks: Tensor, batch: Batch, size: int) -> Tensor:
        """Return landmarks (b, k, 2), normalised to crops of `size` pixels that are not mirrored, in stored pixels."""
        pixels = landmarks * size - 0.5
        linear = torch.linalg.inv(batch.matrices[:, :, :2])
        return (pixels - batch.matrices[:, None, :, 2]) @ linear.transpose(1, 2)
