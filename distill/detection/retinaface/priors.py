"""Prior boxes (anchors) of RetinaFace in numpy: squares of fixed sizes at every cell of every feature map."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from distill.errors import ConfigError

MULTIPLE = 32  # input sides are multiples of the coarsest stride

# SSD's variances: they bring offsets to about unit size.
CENTRE_VARIANCE = 0.1
SIZE_VARIANCE = 0.2

# Sides above exp(this) times a prior's never occur; larger outputs of an untrained network would overflow.
LARGEST_LOG_RATIO = 6.0


def require_side(size: int) -> None:
    """Refuse a side that no input can have.

    Raises:
        ConfigError: no multiple of 32.
    """
    if size < MULTIPLE or size % MULTIPLE:
        raise ConfigError(f"detector: size {size} must be a multiple of {MULTIPLE}")


@dataclass(frozen=True)
class AnchorConfig:
    """Sizes of the prior boxes in pixels of the network's input, by feature map.

    Attributes:
        strides: of the feature maps, finest first.
        sizes: sides of the square priors of each feature map; every map has the same number.
    """

    strides: tuple[int, ...] = (8, 16, 32)
    # Chosen on training images of 320 px: every face from 8 px on gets at least three priors, and the best one overlaps
    # 99 % of the faces from 16 px on by 0.4 or more (93 % of 12 to 16 px). RetinaFace's 16/32, 64/128, 256/512 overlap
    # 14 % of the faces of 8 to 12 px by as much, these 62 %.
    sizes: tuple[tuple[float, ...], ...] = ((10.0, 16.0, 24.0), (36.0, 52.0, 76.0), (110.0, 170.0, 270.0))

    def __post_init__(self) -> None:
        if len(self.strides) != len(self.sizes) or not self.strides:
            raise ConfigError(
                f"anchors: {len(self.strides)} strides and {len(self.sizes)} lists of sizes; give as many"
            )
        if len({len(sizes) for sizes in self.sizes}) != 1 or not self.sizes[0]:
            raise ConfigError("anchors: every feature map needs the same number of sizes, at least one")

    @property
    def per_cell(self) -> int:
        """Number of priors at each cell."""
        return len(self.sizes[0])


@lru_cache(maxsize=16)
def prior_boxes(config: AnchorConfig, width: int, height: int) -> NDArray[np.float32]:
    """Return the priors (n, 4) as centre x, centre y, width, height in pixels of an input of this size.

    The order is that of the network's outputs: by feature map, row, column and size. Cell j of a map of stride s is
    centred at (j + 0.5) * s - 0.5, as pixel centres are integers.

    Raises:
        ConfigError: a side is no multiple of the coarsest stride.
    """
    coarsest = max(config.strides)
    if width % coarsest or height % coarsest:
        raise ConfigError(f"an input of {width}x{height} px: the sides must be multiples of {coarsest}")
    parts = []
    for stride, sizes in zip(config.strides, config.sizes, strict=True):
        y, x, size = np.meshgrid(
            (np.arange(height // stride) + 0.5) * stride - 0.5,
            (np.arange(width // stride) + 0.5) * stride - 0.5,
            np.array(sizes),
            indexing="ij",
        )
        parts.append(np.stack([x, y, size, size], axis=-1).reshape(-1, 4))
    priors = np.concatenate(parts).astype(np.float32)
    priors.flags.writeable = False  # shared by every caller
    return priors
