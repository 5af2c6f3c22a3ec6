"""Detected boxes for photos with a few points: `python -m scripts.generate.boxed_points OUT DATA --scheme five`.

The box of five points is not that of a face. Writes OUT/images and OUT/faces.csv (format `csv`) with the box of
the detector in `box_*`; faces whose points are not in a detected box are left out. Train on the result with
`data.sets: [{format: csv, root: OUT, scheme: five, boxes: [dataset]}]`, whose points teach a network of 68.
"""

import argparse
import csv
from pathlib import Path

import numpy as np

from distill.data.readers import parse_subsets, read_faces
from distill.data.records import FaceRecord
from distill.detection.detector import FaceDetector
from distill.geometry import Box
from distill.images import Photo, read_image
from distill.inference.overlay import write_image
from scripts.generate.unlabelled_faces import enlarged

# A point may lie outside the box by this share of its longer side: boxes end at the contour of the face.
_MARGIN = 0.1
_CORNERS = ("x0", "y0", "x1", "y1")


def holds(box: Box, points: np.ndarray) -> bool:
    """Say whether a box, a little enlarged, holds all points (k, 2)."""
    margin = _MARGIN * max(box.width, box.height)
    return bool(((points >= (box.x0 - margin, box.y0 - margin)) & (points <= (box.x1 + margin, box.y1 + margin))).all())


def boxed(record: FaceRecord, detector: FaceDetector, pad: int, zoom: float) -> tuple[Photo, np.ndarray, Box] | None:
    """Return the enlarged photo of a face, its points in it, and the detected box that holds them, if there is one."""
    photo = read_image(record.image)
    large = enlarged(photo, pad, zoom)
    scale = large.shape[1] / (photo.shape[1] + 2 * pad)
    # Pixel centres are whole numbers, so that a resize moves points by half a pixel of either size.
    points = (record.landmarks + pad + 0.5) * scale - 0.5
    found = next((face.box for face in detector(large) if holds(face.box, points)), None)
    return None if found is None else (large, points, found)


def main() -> None:
    """Write photos and table."""
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("out", type=Path)
    parser.add_argument("data", type=Path)
    parser.add_argument("--format", default="csv")
    parser.add_argument("--scheme", default="five")
    parser.add_argument("--subset", default="all")
    parser.add_argument("--pad", type=int, default=0, help="pixels of reflection around photos cut close to the face")
    parser.add_argument("--zoom", type=float, default=1.0, help="enlarge small photos")
    options = parser.parse_args()
    records = read_faces(options.format, options.data, parse_subsets(options.subset), options.scheme)
    (options.out / "images").mkdir(parents=True, exist_ok=True)
    detector, written = FaceDetector(), 0
    with (options.out / "faces.csv").open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file)
        axes = [f"{axis}{point}" for point in range(len(records[0].landmarks)) for axis in "xy"]
        table.writerow(["image", *axes, *(f"box_{corner}" for corner in _CORNERS), "subset", "group"])
        for number, record in enumerate(records):
            face = boxed(record, detector, options.pad, options.zoom)
            if face is not None:
                photo, points, box = face
                name = f"images/{number:05d}.jpg"
                write_image(options.out / name, photo)
                corners = [getattr(box, corner) for corner in _CORNERS]
                numbers = [f"{value:.2f}" for value in (*points.ravel(), *corners)]
                table.writerow([name, *numbers, record.subset, record.group])
                written += 1
    print(f"{options.out / 'faces.csv'}: {written} of {len(records)} faces")


if __name__ == "__main__":
    main()
