"""Batches of a fixed size, as exported files with a fixed batch dimension take them."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray


def padded_batches(images: NDArray[Any], size: int) -> Iterator[NDArray[Any]]:
    """Yield consecutive batches of exactly `size` images; the last image is repeated where they do not fill the last.

    Args:
        images: (n, ...); n at least 1.
        size: images of a batch; with 1 nothing is repeated.
    """
    for start in range(0, len(images), size):
        batch = images[start : start + size]
        missing = size - len(batch)
        yield np.concatenate([batch, np.repeat(batch[-1:], missing, axis=0)]) if missing else batch
