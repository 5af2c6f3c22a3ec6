"""Compact encoding of teacher outputs: exact landmarks, heatmaps in half precision, whole or in a window."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from distill.models import Prediction

# Side of the blocks whose mean is stored outside of the window, in cells.
_BLOCK = 4


@dataclass(frozen=True)
class MapCodec:
    """Encode landmarks and heatmaps as bytes, one record per face, and decode them.

    A map is stored as its peak (float32) and its cells divided by it (float16: wrong by at most 1/2048 of a value, or
    3e-8 of the peak where that is more), so that no scale of maps over- or underflows. Outside of the window, blocks of
    4 x 4 cells are stored as their mean: a few percent of a map's mass lie far from its peak, and without them its
    centre of mass moves by pixels.

    Attributes:
        points: landmarks k.
        height, width: of the maps in cells; 0 for a teacher without maps.
        window: side of the window around a peak, in cells; 0 stores whole maps.
    """

    points: int
    height: int = 0
    width: int = 0
    window: int = 0

    @property
    def window_shape(self) -> tuple[int, int]:
        """Height and width of the window; the whole map where it is small, or does not divide into blocks."""
        side = self.window or max(self.height, self.width)
        if self.height % _BLOCK or self.width % _BLOCK:
            return self.height, self.width
        return min(side, self.height), min(side, self.width)

    @property
    def blocks(self) -> int:
        """Number of blocks of a map; 0 where the window is the map."""
        whole = self.window_shape == (self.height, self.width)
        return 0 if whole else self.height // _BLOCK * (self.width // _BLOCK)

    @property
    def size(self) -> int:
        """Bytes of one face."""
        height, width = self.window_shape
        return self.points * (8 + (12 + 2 * (height * width + self.blocks) if self.height else 0))

    def encode(self, outputs: Prediction) -> list[bytes]:
        """Return one record per face of a batch."""
        parts = [outputs.landmarks.float()]
        if self.height:
            maps = outputs.part("heatmaps").float()
            corners, peaks = self.corners(maps), maps.amax((-2, -1))
            shares = maps / peaks.clamp_min(1e-30)[..., None, None]
            cells = self.cells(corners)
            parts += [corners.int(), peaks, shares.flatten(-2).gather(-1, cells).half()]
            if self.blocks:
                parts.append(self._far(shares, cells).half())
        arrays = [part.flatten(1).cpu().numpy() for part in parts]
        return [b"".join(array[face].tobytes() for array in arrays) for face in range(len(arrays[0]))]

    def decode(self, records: Sequence[bytes]) -> Prediction:
        """Return the outputs for the faces of these records, on the CPU."""
        b, k = len(records), self.points
        rows = np.stack([np.frombuffer(record, np.uint8) for record in records])
        landmarks, start = _part(rows, 0, np.float32, 2 * k)
        if not self.height:
            return Prediction(landmarks.view(b, k, 2))
        corners, start = _part(rows, start, np.int32, 2 * k)
        peaks, start = _part(rows, start, np.float32, k)
        near, start = _part(rows, start, np.float16, k * self.window_shape[0] * self.window_shape[1])
        maps = landmarks.new_zeros(b, k, self.height, self.width)
        if self.blocks:
            far, _ = _part(rows, start, np.float16, k * self.blocks)
            coarse = far.float().view(b, k, self.height // _BLOCK, self.width // _BLOCK)
            maps = nn.functional.interpolate(coarse, scale_factor=float(_BLOCK), mode="nearest")
        cells = self.cells(corners.view(b, k, 2).long())
        maps = maps.flatten(-2).scatter(-1, cells, near.view(b, k, -1).float()) * peaks[..., None]
        return Prediction(landmarks.view(b, k, 2), maps.view(b, k, self.height, self.width))

    def _far(self, maps: Float[Tensor, "b k h w"], cells: Int[Tensor, "b k n"]) -> Float[Tensor, "b k y x"]:
        """Return the mean of each block over its cells outside of the window."""
        outside = torch.ones_like(maps).flatten(-2).scatter(-1, cells, 0.0).view_as(maps)
        mass, share = (nn.functional.avg_pool2d(part, _BLOCK) for part in (maps * outside, outside))
        return mass / share.clamp_min(1 / _BLOCK**2)

    def corners(self, maps: Float[Tensor, "b k h w"]) -> Int[Tensor, "b k 2"]:
        """Return the first column and row of each window: centred at the peak, moved inside the map."""
        best = maps.flatten(-2).argmax(-1)
        height, width = self.window_shape
        column = (best % self.width - width // 2).clamp(0, self.width - width)
        row = (best // self.width - height // 2).clamp(0, self.height - height)
        return torch.stack([column, row], -1)

    def cells(self, corners: Int[Tensor, "b k 2"]) -> Int[Tensor, "b k n"]:
        """Return which cells of a flattened map the windows cover."""
        height, width = self.window_shape
        rows = corners[..., 1:] + torch.arange(height, device=corners.device)
        columns = corners[..., :1] + torch.arange(width, device=corners.device)
        return (rows[..., :, None] * self.width + columns[..., None, :]).flatten(-2)


def _part(rows: np.ndarray, start: int, kind: type, count: int) -> tuple[Tensor, int]:
    """Read `count` numbers of each record from byte `start` on; also returns where they end."""
    end = start + count * np.dtype(kind).itemsize
    return torch.from_numpy(rows[:, start:end].copy().view(kind)), end
