"""What a detector's boxes have to do with the boxes a network is trained on.

A true box is tight around the points a data set has: four points, the 51 inside a face and the 68 with its jaw give
boxes of unlike size. The detector's are always those of a whole face, so a crop that suits the one cuts the other out
too large or too small. Training measures it once, on its own faces.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np

from distill.data.records import FOUND, FaceRecord
from distill.detection.detector import Detection
from distill.geometry import Box, CropSpec
from distill.images import Photo, read_image

Detector = Callable[[Photo], list[Detection]]
# Faces looked at: the ratios of single faces of 300-W spread by 6 %, so their median is sure to about 1 %.
_FACES = 60
# A median of fewer is luck, and where most faces are not found, those that are may not be them.
_LEAST = 10


class DetectedCrop(NamedTuple):
    """How a detector's box becomes the crop that a true box gives.

    Attributes:
        crop: None where too few faces were found to tell.
        found: faces that the detector found.
        asked: faces it was shown.
        wander: how far the crop's centre lies from that of the true box's crop, in sides of the crop; the median.
    """

    crop: CropSpec | None
    found: int
    asked: int
    wander: float = 0.0


def detected_crop(records: Sequence[FaceRecord], crop: CropSpec, kind: str, detector: Detector) -> DetectedCrop:
    """Fit the crop of detected boxes: the median over faces of what makes it the crop of the true box.

    Args:
        records: training faces; a few, evenly spread, are looked at.
        crop: how a box of `kind` becomes a crop.
        kind: of the boxes that are trained on.
        detector: photo -> faces.

    Raises:
        ImageError: a photo that cannot be read.
    """
    boxed = [record for record in records if kind in record.boxes]
    asked = [boxed[int(index)] for index in np.linspace(0, len(boxed) - 1, min(_FACES, len(boxed)))]
    faces = with_found(asked, detector, kind)
    found = [(face.boxes[kind], face.boxes[FOUND]) for face in faces if FOUND in face.boxes]
    if len(found) < max(_LEAST, len(asked) / 2):
        return DetectedCrop(None, len(found), len(asked))
    # Of each face: the side of its crop and where the crop's centre lies, seen from the detected box, in sides of that.
    wanted = np.array([crop.side_and_centre(true) for true, _ in found])
    seen = np.array([(max(box.width, box.height), *box.centre) for _, box in found])
    side, x, y = ((wanted - seen * [0, 1, 1]) / seen[:, :1]).T
    scale, shift = (round(float(np.median(values)), 4) for values in (side, y))
    wander = float(np.median(np.hypot(x, y - shift) / side))
    return DetectedCrop(CropSpec(crop.size, scale, shift), len(found), len(asked), wander)


def with_found(records: Iterable[FaceRecord], detector: Detector, kind: str = "gt") -> list[FaceRecord]:
    """Return the faces, those that the detector finds with its box as `found` beside those they have.

    Args:
        records: faces; who has a `found` box keeps it, and who has none of `kind` is not looked for. A photo of several
            is searched once.
        detector: photo -> faces.
        kind: the box that says which of the photo's faces is meant.

    Raises:
        ImageError: a photo that cannot be read.
    """
    faces, searched = [], dict[Path, list[Detection]]()
    for record in records:
        box = None
        if kind in record.boxes and FOUND not in record.boxes:
            if record.image not in searched:
                searched[record.image] = detector(read_image(record.image))
            box = _same_face(searched[record.image], record.boxes[kind])
        faces.append(record if box is None else replace(record, boxes={**record.boxes, FOUND: box}))
    return faces


def _same_face(faces: Sequence[Detection], true: Box) -> Box | None:
    """The best of the found faces whose centre lies as near as half a box to the true one's."""
    near = max(true.width, true.height) / 2
    for box, _ in faces:
        if np.abs(np.subtract(box.centre, true.centre)).max() < near:
            return box
    return None
