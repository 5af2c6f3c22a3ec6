"""Photos with face boxes that tests make: bright ellipses with dark eyes on noise."""

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from distill.images import Photo


def draw_photo(
    boxes: NDArray[np.floating] | list[list[float]], width: int, height: int, rng: np.random.Generator
) -> Photo:
    """Return a photo (height, width, 3) with an ellipse in every box (x0, y0, x1, y1)."""
    image = rng.integers(0, 90, (height, width, 3), dtype=np.uint8)
    for x0, y0, x1, y1 in boxes:
        middle, half = ((x0 + x1) / 2, (y0 + y1) / 2), ((x1 - x0) / 2, (y1 - y0) / 2)
        axes = round(half[0]), round(half[1])
        cv2.ellipse(image, (round(middle[0]), round(middle[1])), axes, 0, 0, 360, (230, 190, 160), -1)
        for side in (-0.4, 0.4):
            eye = round(middle[0] + side * half[0]), round(middle[1] - 0.2 * half[1])
            cv2.circle(image, eye, max(1, round(0.15 * half[0])), (20, 10, 10), -1)
    return image


def write_photo(path: Path, image: Photo) -> None:
    """Write a photo losslessly."""
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), image[..., ::-1])


def write_photo_set(root: Path, count: int, seed: int = 0) -> tuple[Path, Path]:
    """Write photos of 160x120 px with two faces each; return (label.txt, folder of the photos)."""
    rng = np.random.default_rng(seed)
    lines = []
    for index in range(count):
        size = rng.integers(14, 50, 2)
        low = [rng.integers(2, 25, 2), np.array([rng.integers(80, 100), rng.integers(2, 60)])]
        boxes = [[*corner, *(corner + side)] for corner, side in zip(low, size[:, None].repeat(2, 1), strict=True)]
        write_photo(root / "images" / f"{index}.png", draw_photo(np.array(boxes, float), 160, 120, rng))
        lines.append(f"# {index}.png")
        # A box covers whole pixels from its first one on.
        lines += [f"{x0} {y0} {x1 - x0 + 1} {y1 - y0 + 1}" for x0, y0, x1, y1 in boxes]
    (root / "label.txt").write_text("\n".join(lines) + "\n")
    return root / "label.txt", root / "images"


def write_pts_faces(root: Path, count: int, seed: int = 0) -> None:
    """Write photos of one face of 60x60 px with 68 points (300-W's layout): the jaw is the lower half of its box."""
    rng = np.random.default_rng(seed)
    folder = root / "helen" / "trainset"
    for index in range(count):
        low = rng.integers(20, 40, 2).astype(float)
        points = low + 10 + 40 * rng.random((68, 2))
        points[[0, 16]] = low + [[0, 5], [60, 5]]
        points[8] = low + [30, 60]
        points[19] = low + [20, 0]
        image = draw_photo([[*low, *(low + 60)]], 120, 120, rng)
        write_photo(folder / f"{index}.png", image)
        rows = "\n".join(f"{x + 1:.3f} {y + 1:.3f}" for x, y in points)
        (folder / f"{index}.pts").write_text(f"version: 1\nn_points: 68\n{{\n{rows}\n}}\n")
