"""Measure how BlazeFace's boxes relate to the tight box of the 68 points, and how steady they are afterwards.

    python -m scripts.generate.calibrate_detector ROOT_OF_300W

Fits on the *train* folders of lfpw and helen, prints the constants for distill/detection/box_calibration.py, then the
centre and size jitter of the finished detector on the test folders, upright and turned. The constants of the two nets
are medians of (box wanted / box found) over the whole photo; the table is least squares from the six points of the
second look, over the photos upright, one in four turned by each of 15 and 30 degrees, and all of them mirrored.
About two minutes on one core.
"""

import argparse
from collections.abc import Iterator
from itertools import chain
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from distill.detection import detector
from distill.geometry import Box, apply_affine, box_of_points, similarity
from distill.images import read_image, warp

_MIRRORED = [0, 1, 3, 2, 4, 5, 7, 6]


def faces(root: Path, part: str, degrees: float = 0.0, step: int = 1) -> Iterator[tuple[NDArray[np.uint8], Box]]:
    """Yield (photo, tight box) of every `step`-th face of the folders `*/part`, the photo turned by `degrees`."""
    names = [path for path in sorted(root.glob(f"*/{part}/*")) if path.suffix in (".jpg", ".png")]
    for name in names[::step]:
        photo, text = read_image(name), name.with_suffix(".pts").read_text()
        numbers = text[text.index("{") + 1 : text.index("}")].split()
        points = np.array(numbers, np.float32).reshape(-1, 2) - 1
        if degrees:
            height, width = photo.shape[:2]
            side = int(1.2 * max(width, height))
            rotation = similarity(side, (width - 1) / 2, (height - 1) / 2, side, degrees)
            photo, points = warp(photo, rotation, side), apply_affine(rotation, points)
        yield photo, box_of_points(points)


def target(box: Box, values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return (width, height, x, y) of a box relative to one detection (8, 2)."""
    centre = np.array(box.centre) - values[0]
    return np.array([box.width, box.height, *centre]) / values[1].mean()


def mirror(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return one detection (8, 2) as it would be in the mirrored photo."""
    turned = values[_MIRRORED] * np.array([-1.0, 1.0])
    turned[1] = values[1]
    return turned


def net_constants(root: Path, kind: detector.BlazeFaceVariant) -> NDArray[np.float64]:
    """Return the medians (scale x, scale y, shift x, shift y) of one net over whole photos; shift x is 0."""
    net, found = detector.BlazeFace(kind), []
    for photo, box in faces(root, "trainset"):
        height, width = photo.shape[:2]
        values, scores = net(photo, next(detector.squares(width, height, (1,))), 0.6)
        if len(scores):
            best = values[scores.argmax()]
            if abs(best[0] - np.array(box.centre)).max() < max(box.width, box.height) / 2:
                size, centre = np.array([box.width, box.height]), np.array(box.centre)
                found.append(np.concatenate([size / best[1], (centre - best[0]) / best[1]]))
    constants = np.median(found, axis=0)
    constants[2] = 0.0
    return constants


def table(root: Path, finder: detector.FaceDetector) -> NDArray[np.float64]:
    """Return the least-squares table (13, 4) from the features of the second look to the box."""
    rows, wanted = [], []
    turned = (faces(root, "trainset", degrees, step=4) for degrees in (-30.0, -15.0, 15.0, 30.0))
    for photo, box in chain(faces(root, "trainset"), *turned):
        for proposal in finder.propose(photo):
            look = finder.refine(photo, proposal)
            if look is None or abs(look[0][0] - np.array(box.centre)).max() > max(box.width, box.height) / 2:
                continue
            flipped = Box(-box.x1, box.y0, -box.x0, box.y1)
            for values, goal in ((look[0], box), (mirror(look[0]), flipped)):
                rows.append(detector.features(values))
                wanted.append(target(goal, values))
    return np.linalg.lstsq(np.array(rows), np.array(wanted), rcond=None)[0]


def jitter(root: Path, finder: detector.FaceDetector, degrees: float = 0.0) -> str:
    """Return one line: faces found, centre and log-size error on the test folders, in units of the longer side."""
    centre, size, total, more = [], [], 0, 0
    for photo, box in faces(root, "testset", degrees):
        total += 1
        longer = max(box.width, box.height)
        errors = []
        for face in finder(photo):
            offset = np.hypot(*(np.array(face.box.centre) - np.array(box.centre))) / longer
            errors.append((offset, np.log(max(face.box.width, face.box.height) / longer)))
        errors = sorted(error for error in errors if error[0] < 0.5)
        more += len(errors) > 1
        if errors:
            centre.append(errors[0][0])
            size.append(errors[0][1])
    rms = np.sqrt(np.square(centre).mean())
    return (
        f"found {len(centre)} of {total}, twice {more}; centre mean {100 * np.mean(centre):.2f} % rms "
        f"{100 * rms:.2f} %; log size bias {100 * np.mean(size):+.2f} % sd {100 * np.std(size):.2f} %"
    )


def calibrate(root: Path) -> None:
    """Print the constants and the jitter."""
    for name, kind in (("SHORT_RANGE_BOX", detector.SHORT_RANGE), ("FULL_RANGE_BOX", detector.FULL_RANGE)):
        print(f"{name} = ({', '.join(f'{value:.4f}' for value in net_constants(root, kind))})")
    finder = detector.FaceDetector()
    fitted = np.round(table(root, finder), 4)
    print("POINTS_TO_BOX = np.array(\n    [")
    for row in fitted:
        print(f"        [{', '.join(f'{value:.4f}' for value in row)}],")
    print("    ]\n)")
    for degrees in (0.0, 20.0, -40.0):
        print(f"test folders turned by {degrees:.0f} degrees, stored constants: {jitter(root, finder, degrees)}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("root", type=Path, help="folder that holds lfpw/ and helen/")
    calibrate(parser.parse_args().root)
